"""Framing and reassembly give back what was sent, and refuse the rest without keeping it."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.errors import ProtocolError
from crawler.pacs import command as dimse
from crawler.pacs.command import Command
from crawler.pacs.framing import (
    BEFORE_REQUEST,
    HEADER,
    PDV_HEADER,
    PduBuffer,
    PduType,
    established,
    frame,
    frame_message,
    frame_messages,
    split_pdvs,
)
from crawler.pacs.messages import Message, Reassembler

MAX_PDU = 4096
REQUEST = Command(dimse.C_FIND_RQ, has_dataset=True, message_id=1, sop_class="1.2")


def messages_in(stream: bytes, step: int) -> list[Message]:
    buffer, reassembler, messages = PduBuffer(MAX_PDU, established(MAX_PDU)), Reassembler(1 << 20), []
    for at in range(0, len(stream), step):
        piece = stream[at : at + step]
        assert buffer.feed(piece) == len(piece)
        while (pdu := buffer.take()) is not None:
            messages += [message for pdv in split_pdvs(pdu.body) if (message := reassembler.add(pdv))]
    assert reassembler.is_idle
    return messages


@given(st.lists(st.binary(max_size=9000), max_size=4), st.integers(7, MAX_PDU), st.integers(1, 5000))
def test_messages_come_back_whatever_the_pdu_length(datasets: list[bytes], max_pdu: int, step: int) -> None:
    command = dimse.response(REQUEST, 0xFF00, has_dataset=True)
    stream = b"".join(frame_message(5, command, dataset, max_pdu) for dataset in datasets)
    assert stream == frame_messages(5, command, datasets, max_pdu)
    messages = messages_in(stream, step)
    assert [message.dataset for message in messages] == datasets
    assert all(message.context_id == 5 and message.command.status == 0xFF00 for message in messages)


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_any_bytes_are_pdus_or_a_protocol_error(pieces: list[bytes]) -> None:
    buffer, reassembler = PduBuffer(MAX_PDU, established(MAX_PDU)), Reassembler(1000)
    try:
        for piece in pieces:
            buffer.feed(piece)
            while (pdu := buffer.take()) is not None:
                if pdu.type is PduType.P_DATA:
                    for pdv in split_pdvs(pdu.body):
                        reassembler.add(pdv)
    except ProtocolError:
        pass


@given(st.binary(max_size=200))
def test_any_bytes_are_pdvs_or_a_protocol_error(body: bytes) -> None:
    try:
        pdvs = split_pdvs(body)
    except ProtocolError:
        return
    whole = b"".join(
        PDV_HEADER.pack(len(pdv.data) + 2, pdv.context_id, pdv.is_command | pdv.is_last << 1) + bytes(pdv.data)
        for pdv in pdvs
    )
    assert [len(whole), len(pdvs) > 0] == [len(body), True]


@pytest.mark.parametrize("kind", [0, 2, 4, 5, 8, 0x47])
def test_a_stranger_may_only_ask_for_an_association(kind: int) -> None:
    buffer = PduBuffer(MAX_PDU, BEFORE_REQUEST)
    buffer.feed(HEADER.pack(kind, 0, 4))
    with pytest.raises(ProtocolError, match="may not come now"):
        buffer.take()


@pytest.mark.parametrize("kind", list(PduType))
def test_a_header_of_four_gigabytes_is_refused_at_once(kind: PduType) -> None:
    for expected in (BEFORE_REQUEST, established(MAX_PDU)):
        buffer = PduBuffer(MAX_PDU, expected)
        buffer.feed(HEADER.pack(kind, 0, 0xFFFF_FFFF))
        with pytest.raises(ProtocolError):
            buffer.take()


def test_an_incomplete_pdu_is_waited_for_in_bounded_memory() -> None:
    buffer = PduBuffer(MAX_PDU, established(MAX_PDU))
    buffer.feed(HEADER.pack(PduType.P_DATA, 0, MAX_PDU) + b"x" * 100)
    assert buffer.take() is None
    assert len(buffer.data) == buffer.capacity
    assert len(buffer.room()) == buffer.capacity - 106


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"", "without a PDV"),
        (b"\0\0\0", "inside a PDV header"),
        (struct.pack(">IBB", 1, 1, 3), "PDV of 1 bytes"),
        (struct.pack(">IBB", 0, 1, 3), "PDV of 0 bytes"),
        (struct.pack(">IBB", 100, 1, 3) + b"x" * 10, "PDV of 100 bytes"),
    ],
)
def test_lengths_that_do_not_add_up_are_refused(body: bytes, complaint: str) -> None:
    with pytest.raises(ProtocolError, match=complaint):
        split_pdvs(body)


def test_zero_length_fragments_are_allowed() -> None:
    command = dimse.response(REQUEST, 0)
    body = PDV_HEADER.pack(2, 1, 1) + PDV_HEADER.pack(len(command) + 2, 1, 3) + command
    assert [message.command.status for message in messages_in(frame(PduType.P_DATA, body), 1000)] == [0]


@pytest.mark.parametrize(
    "controls",
    [
        [(1, 2)],  # a dataset without a command
        [(1, 3), (1, 3)],  # a second command where the dataset belongs
        [(1, 1), (3, 3)],  # two contexts in one message
    ],
)
def test_parts_out_of_order_are_refused(controls: list[tuple[int, int]]) -> None:
    command = dimse.response(REQUEST, 0xFF00, has_dataset=True)
    body = b"".join(PDV_HEADER.pack(len(command) + 2, *control) + command for control in controls)
    with pytest.raises(ProtocolError):
        messages_in(frame(PduType.P_DATA, body), 1000)
