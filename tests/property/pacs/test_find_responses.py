"""The answer to a C-FIND is the same however its byte stream is cut, and whichever way it is read."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.errors import PeerError, ProtocolError
from crawler.pacs import command as dimse
from crawler.pacs import responses as responses_file
from crawler.pacs.command import Command
from crawler.pacs.framing import COMMAND, LAST, PDV_HEADER, PduBuffer, PduType, established, frame, frame_messages
from crawler.pacs.responses import FindResponses

CONTEXT, MESSAGE, MAX_PDU, MAX_OBJECT = 3, 7, 1024, 4096
REQUEST = Command(dimse.C_FIND_RQ, has_dataset=True, message_id=MESSAGE, sop_class="1.2.840.10008.5.1.4.1.2.2.1")
STRANGER = Command(dimse.C_FIND_RQ, has_dataset=True, message_id=MESSAGE + 1, sop_class="1.2")


@dataclass(frozen=True)
class Answer:
    """What a peer sends, and what must come out."""

    stream: bytes
    rows: list[bytes]
    status: int
    optional_keys_unsupported: bool
    strays: int


Cutter = st.integers(0, 3)


def cut(data: bytes, draw: st.DrawFn) -> list[bytes]:
    """Cut into one to four fragments, empty ones included."""
    places = sorted(draw(st.lists(st.integers(0, len(data)), max_size=3)))
    return [data[low:high] for low, high in zip([0, *places], [*places, len(data)], strict=True)]


def pdvs_of(command: bytes, dataset: bytes | None, draw: st.DrawFn) -> list[bytes]:
    pdvs = []
    for kind, part in ((COMMAND, command), (0, dataset)):
        if part is None:
            continue
        fragments = [piece for whole in cut(part, draw) for piece in pieces(whole, 900)]
        for place, fragment in enumerate(fragments):
            last = LAST if place == len(fragments) - 1 else 0
            pdvs.append(PDV_HEADER.pack(len(fragment) + 2, CONTEXT, kind | last) + fragment)
    return pdvs


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)] or [b""]


def pdus_of(pdvs: list[bytes], draw: st.DrawFn) -> bytes:
    """Put one to five PDVs in each PDU, as far as they fit."""
    stream, body = b"", b""
    for pdv in pdvs:
        if body and (len(body) + len(pdv) > MAX_PDU or draw(st.booleans())):
            stream += frame(PduType.P_DATA, body)
            body = b""
        body += pdv
    return stream + frame(PduType.P_DATA, body)


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """Draw runs of common framing mixed with odd cuts, warnings, and answers to other requests."""
    stream, rows, unsupported, strays = b"", [], False, 0
    for _ in range(draw(st.integers(0, 5))):
        status = draw(st.sampled_from([0xFF00, 0xFF00, 0xFF01]))
        datasets = draw(st.lists(st.binary(max_size=60), min_size=1, max_size=5))
        style = draw(st.sampled_from(["two pdus", "one pdu", "odd", "stray", "long"]))
        request = STRANGER if style == "stray" else REQUEST
        command = dimse.response(request, status, has_dataset=True)
        if style == "two pdus":
            stream += frame_messages(CONTEXT, command, datasets, MAX_PDU)
        elif style == "one pdu":
            whole = PDV_HEADER.pack(len(command) + 2, CONTEXT, COMMAND | LAST) + command
            for data in datasets:
                tail = PDV_HEADER.pack(len(data) + 2, CONTEXT, LAST) + data
                stream += frame(PduType.P_DATA, whole + tail)
        else:
            datasets = [b"x" * 2500] if style == "long" else datasets
            stream += pdus_of([pdv for data in datasets for pdv in pdvs_of(command, data, draw)], draw)
        if style == "stray":
            strays += len(datasets)
        else:
            rows += datasets
            unsupported |= status == 0xFF01
    status = draw(st.sampled_from([0, 0xA700, 0xFE00, 0xC001]))
    stream += pdus_of(pdvs_of(dimse.response(REQUEST, status), None, draw), draw)
    return Answer(stream, rows, status, unsupported, strays)


def read(stream: bytes, pieces: list[bytes]) -> tuple[FindResponses, list[bytes]]:
    buffer = PduBuffer(MAX_PDU, established(MAX_PDU))
    responses, rows = FindResponses(buffer, CONTEXT, MESSAGE, MAX_OBJECT), []
    for piece in pieces:
        buffer.feed(piece)
        while True:
            responses.read()
            if not responses.is_batch_full:
                break
            rows += rows_of(responses)
    return responses, rows + rows_of(responses)


def rows_of(responses: FindResponses) -> list[bytes]:
    batch = responses.take_batch()
    if batch is None:
        return []
    assert all(low <= high for low, high in zip(batch.ends, batch.starts[1:], strict=False))
    return [bytes(batch.data[low:high]) for low, high in zip(batch.starts, batch.ends, strict=True)]


def check(answer: Answer, pieces: list[bytes]) -> None:
    responses, rows = read(answer.stream, pieces)
    assert rows == answer.rows
    assert responses.final is not None
    assert responses.final.status == answer.status
    assert responses.rows == len(answer.rows)
    assert responses.optional_keys_unsupported == answer.optional_keys_unsupported
    assert responses.strays == answer.strays


@given(answers(), st.data())
def test_an_answer_is_the_same_however_it_is_cut(answer: Answer, data: st.DataObject) -> None:
    places = sorted(data.draw(st.lists(st.integers(0, len(answer.stream)), max_size=12)))
    ends = [*places, len(answer.stream)]
    check(answer, [answer.stream[low:high] for low, high in zip([0, *places], ends, strict=True)])


@given(answers())
def test_an_answer_is_the_same_byte_by_byte(answer: Answer) -> None:
    check(answer, [bytes((byte,)) for byte in answer.stream])


@pytest.mark.parametrize("one_pdu", [False, True])
def test_an_answer_is_the_same_cut_in_two_anywhere(one_pdu: bool) -> None:
    command = dimse.response(REQUEST, 0xFF00, has_dataset=True)
    rows = [b"first row ", b"", b"another one"]
    stream = frame_messages(CONTEXT, command, rows, MAX_PDU)
    if one_pdu:
        whole = PDV_HEADER.pack(len(command) + 2, CONTEXT, COMMAND | LAST) + command
        tails = [PDV_HEADER.pack(len(row) + 2, CONTEXT, LAST) + row for row in rows]
        stream = b"".join(frame(PduType.P_DATA, whole + tail) for tail in tails)
    stream += frame(PduType.P_DATA, whole_pdv(dimse.response(REQUEST, 0)))
    answer = Answer(stream, rows, 0, optional_keys_unsupported=False, strays=0)
    for place in range(len(stream) + 1):
        check(answer, [stream[:place], stream[place:]])


@given(answers(), st.integers(1, 4))
def test_a_full_batch_loses_nothing(answer: Answer, most: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(responses_file, "MAX_ROWS", most)
        check(answer, [answer.stream])


@given(answers(), st.data())
def test_broken_answers_end_in_a_peer_error_or_in_silence(answer: Answer, data: st.DataObject) -> None:
    stream = bytearray(answer.stream)
    for _ in range(data.draw(st.integers(1, 4))):
        stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    outcomes = [outcome(bytes(stream), pieces) for pieces in ([bytes(stream)], [bytes((byte,)) for byte in stream])]
    assert outcomes[0] == outcomes[1]


def outcome(stream: bytes, pieces: list[bytes]) -> object:
    try:
        responses, rows = read(stream, pieces)
    except PeerError as error:
        return type(error)
    return rows, responses.final, responses.strays


def whole_pdv(command: bytes) -> bytes:
    return PDV_HEADER.pack(len(command) + 2, CONTEXT, COMMAND | LAST) + command


@pytest.mark.parametrize("kind", [PduType.ABORT, PduType.RELEASE_RQ])
def test_an_association_that_ends_too_early_is_an_error(kind: PduType) -> None:
    command = dimse.response(REQUEST, 0xFF00, has_dataset=True)
    with pytest.raises(PeerError, match="before its final response"):
        read(b"", [frame_messages(CONTEXT, command, [b"ab"]), frame(kind)])


def test_a_long_dataset_is_refused_on_both_ways() -> None:
    command = dimse.response(REQUEST, 0xFF00, has_dataset=True)
    for longest, max_pdu in ((MAX_OBJECT + 2, 512), (MAX_PDU, 0)):
        with pytest.raises(ProtocolError):
            read(b"", [frame_messages(CONTEXT, command, [b"ab", b"x" * longest], max_pdu)])
