"""Association negotiation (PS3.8 7.1, PS3.7 D.3) as plain values: requests are read here, all else by pynetdicom.

Importing pynetdicom costs 0.2 s, so only association.py and acceptor.py import this file. Touches: nothing.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from pydicom.uid import UID
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityNegotiation,
)
from pynetdicom.pdu_primitives import (
    _UserInformationPrimitiveType as _UserInformation,
)
from pynetdicom.presentation import PresentationContext

from crawler.errors import ProtocolError
from crawler.model import IMPLEMENTATION_NAME, IMPLEMENTATION_UID
from crawler.pacs.framing import HEADER, Pdu, PduType, frame

IMPLICIT_VR = "1.2.840.10008.1.2"
EXPLICIT_VR = "1.2.840.10008.1.2.1"
_APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
_PROPOSED, _ABSTRACT_SYNTAX, _TRANSFER_SYNTAX, _USER_INFORMATION = 0x20, 0x30, 0x40, 0x50
_MAX_LENGTH, _ROLE, _EXTENDED, _USER = 0x51, 0x54, 0x56, 0x58
"""Types of the items that are read of an A-ASSOCIATE-RQ (PS3.8 9.3.2, PS3.7 D.3.3)."""
_ITEM = struct.Struct(">BxH")
_MOST = 256
"""Items of one kind in another; DICOM has 70 transfer syntaxes, and an association 128 contexts."""
_BEFORE_ITEMS = 68
"""Bytes of its body with the version, the AE titles and what is reserved."""
_ACCEPTED, _UNKNOWN_ABSTRACT_SYNTAX, _UNKNOWN_TRANSFER_SYNTAX = 0, 3, 4
"""Results of a presentation context (PS3.8 table 9-18)."""
_USERNAME, _USERNAME_AND_PASSCODE = 1, 2
"""Kinds of user identity (PS3.7 table D.3-14)."""
_MALFORMED = (ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError, struct.error)
"""What pynetdicom's decoders raise on hostile bytes."""


Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Context:
    """One presentation context: proposed with some transfer syntaxes, accepted with one."""

    context_id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """What an A-ASSOCIATE-RQ asks for. `extended` is SOP class -> application information (PS3.7 D.3.3.5)."""

    calling_ae: str
    called_ae: str
    contexts: tuple[Context, ...]
    max_pdu: int
    extended: Mapping[str, bytes] = field(default_factory=dict)
    served: frozenset[str] = frozenset()
    """SOP classes of which the requestor offers to be the SCP, as a C-GET needs it (PS3.7 D.3.3.4)."""
    user: tuple[str, str] | None = field(default=None, repr=False)
    """User name and passcode, '' for none, of who asks (PS3.7 D.3.3.7)."""
    expects_answer: bool = False
    """Whether who asks is to be told that the user was believed."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What an A-ASSOCIATE-AC grants: the accepted contexts by id, each with one transfer syntax."""

    contexts: Mapping[int, Context]
    max_pdu: int
    """Largest P-DATA-TF that the answering side takes, 0 for no limit."""
    extended: Mapping[str, bytes] = field(default_factory=dict)
    served: frozenset[str] = frozenset()
    """SOP classes of which the requestor is the SCP."""


def encode_request(proposal: Proposal) -> bytes:
    """Encode an A-ASSOCIATE-RQ."""
    primitive = _primitive(proposal)
    primitive.presentation_context_definition_list = [_offer(context) for context in proposal.contexts]
    primitive.user_information = _user_information(proposal.max_pdu, proposal.extended, proposal.served)
    if proposal.user is not None:
        primitive.user_information.append(_user_identity(*proposal.user))
    return bytes(A_ASSOCIATE_RQ(primitive).encode())


def decode_request(pdu: Pdu) -> Proposal:
    """Decode an A-ASSOCIATE-RQ (PS3.8 9.3.2). Raises ProtocolError.

    It comes from strangers, and may have thousands of items: pynetdicom takes seconds for such a one.
    """
    with _distrusted():
        body = bytes(pdu.body)
        contexts: dict[int, Context] = {}
        told: dict[int, list[bytes]] = {kind: [] for kind in (_MAX_LENGTH, _ROLE, _EXTENDED, _USER)}
        for kind, value in _items(body, _BEFORE_ITEMS):
            if kind == _PROPOSED:
                context = _proposed(value)
                contexts[context.context_id] = context
            elif kind == _USER_INFORMATION:
                for inner, content in _items(value):
                    if inner in told:
                        _add(told[inner], content)
        return Proposal(
            calling_ae=_text(body[20:36]),
            called_ae=_text(body[4:20]),
            contexts=tuple(contexts.values()),
            max_pdu=int.from_bytes(told[_MAX_LENGTH][-1][:4]) if told[_MAX_LENGTH] else 0,
            extended=dict(_named(content) for content in told[_EXTENDED]),
            served=frozenset(uid for uid, roles in map(_named, told[_ROLE]) if roles[1]),
            user=_user(told[_USER][-1]) if told[_USER] else None,
            expects_answer=bool(told[_USER] and told[_USER][-1][1:2] == b"\1"),
        )


def agree(
    proposal: Proposal,
    offered: Mapping[str, Sequence[str]],
    max_pdu: int,
    answers: Mapping[str, bytes],
    served: frozenset[str] = frozenset(),
) -> tuple[bytes, Agreement]:
    """Grant what is both proposed and offered: encode the A-ASSOCIATE-AC, and give what it says.

    `offered` is abstract syntax -> transfer syntaxes in order of preference; `answers` the extended negotiation;
    `served` the SOP classes of which the requestor may be the SCP, and offered to. Raises ProtocolError when the
    proposal cannot be answered. A PACS proposes over a hundred contexts for each series that it moves: pynetdicom
    would choose among thousands of UIDs, and check each of them.
    """
    granted: dict[int, Context] = {}
    results = []
    with _distrusted():
        for context in proposal.contexts:
            known = offered.get(context.abstract_syntax, ())
            chosen = next((syntax for syntax in known if syntax in context.transfer_syntaxes), None)
            result = PresentationContext()
            result.context_id = context.context_id
            result.transfer_syntax = [chosen or context.transfer_syntaxes[0]]
            result.result = _ACCEPTED if chosen else _UNKNOWN_TRANSFER_SYNTAX if known else _UNKNOWN_ABSTRACT_SYNTAX
            results.append(result)
            if chosen:
                granted[context.context_id] = Context(context.context_id, context.abstract_syntax, (chosen,))
        primitive = _primitive(proposal)
        primitive.presentation_context_definition_results_list = results
        primitive.user_information = _user_information(max_pdu, answers, served)
        if proposal.expects_answer:
            believed = UserIdentityNegotiation()
            believed.server_response = b""
            primitive.user_information.append(believed)
        encoded = bytes(A_ASSOCIATE_AC(primitive).encode())
    return encoded, Agreement(granted, max_pdu, answers, served)


def decode_agreement(pdu: Pdu, proposal: Proposal) -> Agreement:
    """Decode the A-ASSOCIATE-AC that answers `proposal`. Raises ProtocolError."""
    primitive = _decode(A_ASSOCIATE_AC(), pdu)
    proposed = {context.context_id: context for context in proposal.contexts}
    contexts = {}
    for result in primitive.presentation_context_definition_results_list:
        asked = proposed.get(result.context_id or 0)
        if asked is None or result.result != 0 or not result.transfer_syntax:
            continue
        transfer_syntax = str(result.transfer_syntax[0])
        if transfer_syntax not in asked.transfer_syntaxes:
            raise ProtocolError("the peer accepted a transfer syntax that was not proposed")
        contexts[asked.context_id] = Context(asked.context_id, asked.abstract_syntax, (transfer_syntax,))
    served = _served(primitive) & proposal.served
    return Agreement(contexts, primitive.maximum_length_received or 0, _extended(primitive), served)


def flags(asked: bytes, offered: bytes) -> bytes:
    """Give 1 for each flag of an extended negotiation that is asked for and offered."""
    return bytes(a & b for a, b in zip(asked, offered.ljust(len(asked), b"\0"), strict=False))


def rejection(result: int, source: int, reason: int) -> bytes:
    """Encode an A-ASSOCIATE-RJ (PS3.8 9.3.4)."""
    return frame(PduType.ASSOCIATE_RJ, bytes((0, result, source, reason)))


def _decode(codec: A_ASSOCIATE_AC, pdu: Pdu) -> A_ASSOCIATE:
    with _distrusted():
        codec.decode(HEADER.pack(pdu.type, 0, len(pdu.body)) + pdu.body)
        return codec.to_primitive()


@contextmanager
def _distrusted() -> Iterator[None]:
    """Turn what the codecs raise on a peer's bytes into ProtocolError; pydicom's warnings about them help nobody."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except _MALFORMED as error:
            raise ProtocolError("the peer sent a malformed association request or answer") from error


def _primitive(proposal: Proposal) -> A_ASSOCIATE:
    primitive = A_ASSOCIATE()
    primitive.application_context_name = _APPLICATION_CONTEXT
    primitive.calling_ae_title = proposal.calling_ae
    primitive.called_ae_title = proposal.called_ae
    return primitive


def _offer(context: Context) -> PresentationContext:
    offer = PresentationContext()
    offer.context_id = context.context_id
    offer.abstract_syntax = context.abstract_syntax
    offer.transfer_syntax = list(context.transfer_syntaxes)
    return offer


def _items(data: bytes, at: int = 0) -> Iterator[tuple[int, bytes]]:
    """Give type and value of each item (PS3.8 9.3.2), those too that nobody knows."""
    while at < len(data):
        kind, length = _ITEM.unpack_from(data, at)
        at += _ITEM.size + length
        if at > len(data):
            raise ValueError("an item ends beyond its PDU")
        yield kind, data[at - length : at]


def _proposed(value: bytes) -> Context:
    """Read a presentation context; what comes twice under one number is the last one."""
    found: dict[int, list[str]] = {_ABSTRACT_SYNTAX: [], _TRANSFER_SYNTAX: []}
    for kind, content in _items(value, 4):
        if kind in found:
            _add(found[kind], _text(content))
    [abstract_syntax] = found[_ABSTRACT_SYNTAX]
    return Context(value[0], abstract_syntax, tuple(found[_TRANSFER_SYNTAX]))


def _add(several: list[Value], one: Value) -> None:
    if len(several) == _MOST:
        raise ValueError("more than anybody means")
    several.append(one)


def _named(content: bytes) -> tuple[str, bytes]:
    """Read a UID and what is said of it."""
    length = int.from_bytes(content[:2])
    return _text(content[2 : 2 + length]), content[2 + length :]


def _user(value: bytes) -> tuple[str, str] | None:
    """Read a user name and a passcode; None where that is something else, a ticket say, or broken."""
    name_ends = 4 + int.from_bytes(value[2:4])
    passcode_ends = name_ends + 2 + int.from_bytes(value[name_ends : name_ends + 2])
    if len(value) != passcode_ends or value[0] not in (_USERNAME, _USERNAME_AND_PASSCODE):
        return None
    passcode = value[name_ends + 2 :] if value[0] == _USERNAME_AND_PASSCODE else b""
    return value[4:name_ends].decode(errors="replace"), passcode.decode(errors="replace")


def _text(value: bytes) -> str:
    return value.decode("ascii").strip("\0 ")


def _user_information(max_pdu: int, extended: Mapping[str, bytes], served: frozenset[str]) -> _UserInformation:
    length = MaximumLengthNotification()
    length.maximum_length_received = max_pdu
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = IMPLEMENTATION_UID
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = IMPLEMENTATION_NAME
    items: _UserInformation = [length, implementation, version]
    for sop_class, information in extended.items():
        item = SOPClassExtendedNegotiation()
        item.sop_class_uid = sop_class
        item.service_class_application_information = information
        items.append(item)
    for sop_class in sorted(served):
        role = SCP_SCU_RoleSelectionNegotiation()
        role.sop_class_uid, role.scu_role, role.scp_role = UID(sop_class), False, True
        items.append(role)
    return items


def _user_identity(username: str, passcode: str) -> UserIdentityNegotiation:
    """Name the user: no answer is asked for, as a PACS that knows nothing of users gives none."""
    identity = UserIdentityNegotiation()
    identity.user_identity_type = _USERNAME_AND_PASSCODE if passcode else _USERNAME
    identity.positive_response_requested = False
    identity.primary_field, identity.secondary_field = username.encode(), passcode.encode()
    return identity


def _extended(primitive: A_ASSOCIATE) -> dict[str, bytes]:
    return {
        str(item.sop_class_uid): bytes(item.service_class_application_information or b"")
        for item in primitive.user_information
        if isinstance(item, SOPClassExtendedNegotiation)
    }


def _served(primitive: A_ASSOCIATE) -> frozenset[str]:
    return frozenset(
        str(item.sop_class_uid)
        for item in primitive.user_information
        if isinstance(item, SCP_SCU_RoleSelectionNegotiation) and item.scp_role
    )
