"""What peers send: PDUs, command sets, answers, association requests. Bytes in; nothing but PeerError may come out."""

from __future__ import annotations

from contextlib import suppress

from crawler.errors import PeerError, ProtocolError
from crawler.model import Identifiers
from crawler.pacs import command as dimse
from crawler.pacs.acceptor import CALLED_AE_UNKNOWN
from crawler.pacs.framing import (
    BEFORE_ANSWER,
    BEFORE_REQUEST,
    HEADER,
    Pdu,
    PduBuffer,
    PduType,
    TypeCaps,
    established,
    split_pdvs,
)
from crawler.pacs.messages import Reassembler
from crawler.pacs.negotiation import (
    EXPLICIT_VR,
    IMPLICIT_VR,
    Context,
    Proposal,
    agree,
    decode_agreement,
    decode_request,
    encode_request,
    rejection,
)
from crawler.pacs.responses import FindResponses

MAX_PDU, MAX_OBJECT = 512, 1024
MOMENTS = (established(MAX_PDU), BEFORE_REQUEST, BEFORE_ANSWER)
CONTEXT, MESSAGE = 1, 7
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
OFFERED = {FIND: (IMPLICIT_VR,), CT: (EXPLICIT_VR, IMPLICIT_VR), dimse.VERIFICATION: (IMPLICIT_VR,)}
PROPOSAL = Proposal(
    "PACSLAKE",
    "PEER",
    (Context(1, FIND, (IMPLICIT_VR, EXPLICIT_VR)), Context(3, CT, (IMPLICIT_VR,))),
    16384,
    {FIND: b"\1\1\1"},
    frozenset((CT,)),
)


def pdus(data: bytes) -> None:
    """Any stream is the same messages, and ends in the same error, however it is cut."""
    moment, step, stream = MOMENTS[data[0] % 3], data[1] or 1, data[2:]
    assert messages(stream, len(stream) or 1, moment) == messages(stream, step, moment)


def messages(stream: bytes, step: int, moment: TypeCaps) -> list[object]:
    """Give the messages and other PDUs of a stream that comes in such pieces, and at last why no more can be read."""
    buffer, reassembler = PduBuffer(MAX_PDU, moment), Reassembler(MAX_OBJECT)
    found: list[object] = []
    try:
        for at in range(0, len(stream), step):
            buffer.feed(stream[at : at + step])
            while (pdu := buffer.take()) is not None:
                if pdu.type is PduType.P_DATA:
                    made = (reassembler.add(pdv) for pdv in split_pdvs(pdu.body))
                    found += [message for message in made if message is not None]
                else:
                    found.append(pdu)
    except ProtocolError as error:
        found.append(str(error))
    return found


def answers(data: bytes) -> None:
    """The answer to a C-FIND has the same rows and the same end however it is cut."""
    step, stream = data[0] or 1, data[1:]
    assert rows_and_end(stream, len(stream) or 1) == rows_and_end(stream, step)


def rows_and_end(stream: bytes, step: int) -> tuple[list[bytes], object]:
    buffer = PduBuffer(MAX_PDU, established(MAX_PDU))
    responses = FindResponses(buffer, CONTEXT, MESSAGE, MAX_OBJECT, max_rows=3)
    rows: list[bytes] = []
    try:
        for at in range(0, len(stream), step):
            buffer.feed(stream[at : at + step])
            responses.read()
            while responses.is_batch_full:
                rows += rows_of(responses.take_batch())
                responses.read()
        responses.read()  # looks at what has come in part, as it does when more comes
    except PeerError:  # which of several things is said to be wrong depends on how much is there to be looked at
        return rows + rows_of(responses.take_batch()), PeerError
    return rows + rows_of(responses.take_batch()), responses.final


def rows_of(batch: Identifiers | None) -> list[bytes]:
    if batch is None:
        return []
    return [bytes(batch.data[start:end]) for start, end in zip(batch.starts, batch.ends, strict=True)]


def commands(data: bytes) -> None:
    """Any command can be answered, and the answer says whom it answers."""
    try:
        command = dimse.parse_command(data)
    except ProtocolError:
        return
    comment = command.error_comment
    answer = dimse.parse_command(dimse.response(command, 0xA700, comment=comment, counters=command.counters))
    assert (answer.responding_to, answer.status) == (command.message_id or 0, 0xA700)
    assert answer.is_response
    assert answer.counters == command.counters


def requests(data: bytes) -> None:
    """Any A-ASSOCIATE-RQ is answered, and the answer grants to the other side what it does on this one."""
    try:
        proposal = decode_request(Pdu(PduType.ASSOCIATE_RQ, data))
        served = proposal.served & OFFERED.keys()
        reply, agreed = agree(proposal, OFFERED, 16384, dict.fromkeys(proposal.extended, b"\1"), served)
    except ProtocolError:
        return
    assert rejection(*CALLED_AE_UNKNOWN)
    heard = decode_agreement(pdu_of(reply), proposal)
    if len({one.context_id for one in proposal.contexts}) == len(proposal.contexts):
        assert heard.contexts == agreed.contexts
    assert heard.served == agreed.served


def agreements(data: bytes) -> None:
    """Any A-ASSOCIATE-AC grants nothing that was not asked for."""
    with suppress(ProtocolError):
        agreement = decode_agreement(Pdu(PduType.ASSOCIATE_AC, data), PROPOSAL)
        asked = {one.context_id: one for one in PROPOSAL.contexts}
        for number, granted in agreement.contexts.items():
            assert granted.abstract_syntax == asked[number].abstract_syntax
            assert set(granted.transfer_syntaxes) <= set(asked[number].transfer_syntaxes)
        assert agreement.served <= PROPOSAL.served


def pdu_of(encoded: bytes) -> Pdu:
    return Pdu(PduType(encoded[0]), encoded[HEADER.size :])


def request_body() -> bytes:
    return pdu_of(encode_request(PROPOSAL)).body  # type: ignore[return-value]  # only P-DATA-TF has a view
