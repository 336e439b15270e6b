"""Association negotiation (PS3.8 7.1, 9.3, PS3.7 D.3) as plain values. Pure.

Strangers send what is read here, and it may have thousands of items, for which pynetdicom takes seconds.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from crawler.errors import ProtocolError
from crawler.model import IMPLEMENTATION_NAME, IMPLEMENTATION_UID
from crawler.pacs.framing import Pdu, PduType, frame

IMPLICIT_VR = "1.2.840.10008.1.2"
EXPLICIT_VR = "1.2.840.10008.1.2.1"
_APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
_APPLICATION_CONTEXT_ITEM, _PROPOSED, _ANSWERED, _ABSTRACT_SYNTAX, _TRANSFER_SYNTAX = 0x10, 0x20, 0x21, 0x30, 0x40
_USER_INFORMATION, _MAX_LENGTH, _IMPLEMENTATION_UID, _ROLE = 0x50, 0x51, 0x52, 0x54
_IMPLEMENTATION_NAME, _EXTENDED, _USER, _USER_BELIEVED = 0x55, 0x56, 0x58, 0x59
"""Types of the items of an A-ASSOCIATE-RQ and -AC (PS3.8 9.3.2, 9.3.3, PS3.7 D.3.3)."""
_ITEM = struct.Struct(">BxH")
_MOST = 256
"""Items of one kind in another; DICOM has 70 transfer syntaxes, and an association 128 contexts."""
_FIXED = struct.Struct(">H2x16s16s32x")
"""What both begin with: the version, the called and the calling AE title (PS3.8 table 9-11)."""
_ACCEPTED, _UNKNOWN_ABSTRACT_SYNTAX, _UNKNOWN_TRANSFER_SYNTAX = 0, 3, 4
"""Results of a presentation context (PS3.8 table 9-18)."""
_USERNAME, _USERNAME_AND_PASSCODE = 1, 2
"""Kinds of user identity (PS3.7 table D.3-14)."""
_MALFORMED = (ValueError, IndexError, struct.error)
"""What reading raises on hostile bytes."""


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
    """Encode an A-ASSOCIATE-RQ (PS3.8 9.3.2). ValueError for an AE title that is none."""
    told = _told(proposal.max_pdu, proposal.extended, proposal.served)
    if proposal.user is not None:
        told += _item(_USER, _user_named(*proposal.user))
    contexts = b"".join(
        _item(_PROPOSED, bytes((context.context_id, 0, 0, 0)) + _syntaxes(context)) for context in proposal.contexts
    )
    return frame(PduType.ASSOCIATE_RQ, _association(proposal, contexts, told))


def decode_request(pdu: Pdu) -> Proposal:
    """Decode an A-ASSOCIATE-RQ (PS3.8 9.3.2). Raises ProtocolError."""
    with _distrusted():
        _, called, calling = _FIXED.unpack_from(pdu.body)
        contexts, told = _read(bytes(pdu.body), _PROPOSED)
        proposed = {context.context_id: context for context in map(_proposed, contexts)}  # of two, the last
        return Proposal(
            calling_ae=_text(calling),
            called_ae=_text(called),
            contexts=tuple(proposed.values()),
            max_pdu=_max_pdu(told),
            extended=dict(map(_named, told[_EXTENDED])),
            served=_served(told),
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
    proposal cannot be answered.
    """
    granted: dict[int, Context] = {}
    answered = []
    with _distrusted():
        for context in proposal.contexts:
            known = offered.get(context.abstract_syntax, ())
            chosen = next((syntax for syntax in known if syntax in context.transfer_syntaxes), None)
            result = _ACCEPTED if chosen else _UNKNOWN_TRANSFER_SYNTAX if known else _UNKNOWN_ABSTRACT_SYNTAX
            syntax = _item(_TRANSFER_SYNTAX, (chosen or context.transfer_syntaxes[0]).encode())
            answered.append(_item(_ANSWERED, bytes((context.context_id, 0, result, 0)) + syntax))
            if chosen:
                granted[context.context_id] = Context(context.context_id, context.abstract_syntax, (chosen,))
        told = _told(max_pdu, answers, served)
        if proposal.expects_answer:
            told += _item(_USER_BELIEVED, _sized(b""))
        encoded = frame(PduType.ASSOCIATE_AC, _association(proposal, b"".join(answered), told))
    return encoded, Agreement(granted, max_pdu, answers, served)


def decode_agreement(pdu: Pdu, proposal: Proposal) -> Agreement:
    """Decode the A-ASSOCIATE-AC that answers `proposal` (PS3.8 9.3.3). Raises ProtocolError."""
    proposed = {context.context_id: context for context in proposal.contexts}
    granted = {}
    with _distrusted():
        answered, told = _read(bytes(pdu.body), _ANSWERED)
        for value in answered:
            asked = proposed.get(value[0])
            if asked is None or value[2] != _ACCEPTED:
                continue
            [syntax] = [_text(content) for kind, content in _items(value, 4) if kind == _TRANSFER_SYNTAX]
            if syntax not in asked.transfer_syntaxes:
                raise ProtocolError("the peer accepted a transfer syntax that was not proposed")
            granted[asked.context_id] = Context(asked.context_id, asked.abstract_syntax, (syntax,))
        extended, served = dict(map(_named, told[_EXTENDED])), _served(told) & proposal.served
        return Agreement(granted, _max_pdu(told), extended, served)


def flags(asked: bytes, offered: bytes) -> bytes:
    """Give 1 for each flag of an extended negotiation that is asked for and offered."""
    return bytes(a & b for a, b in zip(asked, offered.ljust(len(asked), b"\0"), strict=False))


def rejection(result: int, source: int, reason: int) -> bytes:
    """Encode an A-ASSOCIATE-RJ (PS3.8 9.3.4)."""
    return frame(PduType.ASSOCIATE_RJ, bytes((0, result, source, reason)))


@contextmanager
def _distrusted() -> Iterator[None]:
    """Turn what a peer's bytes make fail into ProtocolError."""
    try:
        yield
    except _MALFORMED as error:
        raise ProtocolError("the peer sent a malformed association request or answer") from error


def _read(body: bytes, kind: int) -> tuple[list[bytes], dict[int, list[bytes]]]:
    """Give the presentation contexts of this kind, and of the user information what is understood, by type."""
    contexts: list[bytes] = []
    told: dict[int, list[bytes]] = {inner: [] for inner in (_MAX_LENGTH, _ROLE, _EXTENDED, _USER)}
    for found, value in _items(body, _FIXED.size):
        if found == kind:
            _add(contexts, value)
        elif found == _USER_INFORMATION:
            for inner, content in _items(value):
                if inner in told:
                    _add(told[inner], content)
    if not contexts:
        raise ValueError("there is no presentation context")
    return contexts, told


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


def _max_pdu(told: Mapping[int, list[bytes]]) -> int:
    return int.from_bytes(told[_MAX_LENGTH][-1][:4]) if told[_MAX_LENGTH] else 0


def _served(told: Mapping[int, list[bytes]]) -> frozenset[str]:
    return frozenset(uid for uid, roles in map(_named, told[_ROLE]) if roles[1])


def _item(kind: int, value: bytes) -> bytes:
    return _ITEM.pack(kind, len(value)) + value


def _sized(value: bytes) -> bytes:
    return len(value).to_bytes(2) + value


def _association(proposal: Proposal, contexts: bytes, told: bytes) -> bytes:
    """Give the body of an A-ASSOCIATE-RQ or -AC, which names whom the request named."""
    titles = [title.encode("ascii").ljust(16) for title in (proposal.called_ae, proposal.calling_ae)]
    if any(len(title) > 16 or not title.strip() for title in titles):
        raise ValueError("an AE title has 1 to 16 characters")
    context = _item(_APPLICATION_CONTEXT_ITEM, _APPLICATION_CONTEXT.encode())
    return _FIXED.pack(1, *titles) + context + contexts + _item(_USER_INFORMATION, told)


def _syntaxes(context: Context) -> bytes:
    transfer = (_item(_TRANSFER_SYNTAX, syntax.encode()) for syntax in context.transfer_syntaxes)
    return _item(_ABSTRACT_SYNTAX, context.abstract_syntax.encode()) + b"".join(transfer)


def _told(max_pdu: int, extended: Mapping[str, bytes], served: frozenset[str]) -> bytes:
    """Give the items of the user information that are in each association of ours."""
    items = [
        _item(_MAX_LENGTH, max_pdu.to_bytes(4)),
        _item(_IMPLEMENTATION_UID, IMPLEMENTATION_UID.encode()),
        _item(_IMPLEMENTATION_NAME, IMPLEMENTATION_NAME.encode()),
        *(_item(_EXTENDED, _sized(uid.encode()) + information) for uid, information in extended.items()),
        *(_item(_ROLE, _sized(uid.encode()) + b"\0\1") for uid in sorted(served)),
    ]
    return b"".join(items)


def _user_named(username: str, passcode: str) -> bytes:
    """Name the user: no answer is asked for, as a PACS that knows nothing of users gives none."""
    kind = _USERNAME_AND_PASSCODE if passcode else _USERNAME
    return bytes((kind, 0)) + _sized(username.encode()) + _sized(passcode.encode())
