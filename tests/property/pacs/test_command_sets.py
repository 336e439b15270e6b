"""Our command sets and pydicom's are the same bytes, and no bytes do more than a ProtocolError."""

from __future__ import annotations

import contextlib
from io import BytesIO

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pynetdicom import dimse_messages, dimse_primitives

from crawler.errors import ProtocolError
from crawler.pacs import command as dimse

message_ids = st.integers(0, 0xFFFF)
FIND = "1.2.840.10008.5.1.4.1.2.2.1"


def as_pydicom(encoded: bytes) -> Dataset:
    return read_dataset(BytesIO(encoded), is_implicit_VR=True, is_little_endian=True)


@given(
    message_ids, st.sampled_from([0, 0xFF00, 0xFF01, 0xA700, 0xC001]), st.booleans(), st.text("abc xyz", max_size=64)
)
def test_a_response_reads_back_here_and_in_pydicom(message_id: int, status: int, full: bool, comment: str) -> None:
    request = dimse.parse_command(dimse.find_request(message_id, FIND))
    encoded = dimse.response(request, status, has_dataset=full, comment=comment)
    command, dataset = dimse.parse_command(encoded), as_pydicom(encoded)
    assert command.field == dataset.CommandField == dimse.C_FIND_RSP
    assert command.responding_to == dataset.MessageIDBeingRespondedTo == message_id
    assert command.status == dataset.Status == status
    assert command.sop_class == dataset.AffectedSOPClassUID == FIND
    assert command.has_dataset is full is (dataset.CommandDataSetType != dimse.NO_DATASET)
    assert command.error_comment == comment.rstrip()
    assert dataset.CommandGroupLength == len(encoded) - 12


@given(message_ids)
def test_requests_are_those_that_pynetdicom_sends(message_id: int) -> None:
    find = dimse_primitives.C_FIND()
    find.MessageID, find.AffectedSOPClassUID, find.Priority, find.Identifier = message_id, FIND, 0, BytesIO(b"xx")
    assert encoded(dimse_messages.C_FIND_RQ(), find) == as_pydicom(dimse.find_request(message_id, FIND))
    echo = dimse_primitives.C_ECHO()
    echo.MessageID, echo.AffectedSOPClassUID = message_id, dimse.VERIFICATION
    assert encoded(dimse_messages.C_ECHO_RQ(), echo) == as_pydicom(dimse.echo_request(message_id))
    cancel = dimse_primitives.C_CANCEL()
    cancel.MessageIDBeingRespondedTo = message_id
    assert encoded(dimse_messages.C_CANCEL_RQ(), cancel) == as_pydicom(dimse.cancel_request(message_id))


def encoded(message: dimse_messages.DIMSEMessage, primitive: object) -> Dataset:
    message.primitive_to_message(primitive)  # type: ignore[arg-type]  # each message takes its own primitive
    message.command_set.CommandGroupLength = len(b"".join(data for _, data in fragments(message))) - 12
    return message.command_set


def fragments(message: dimse_messages.DIMSEMessage) -> list[tuple[int, bytes]]:
    pdvs = [pdv for p_data in message.encode_msg(1, 16384) for pdv in p_data.presentation_data_value_list]
    return [(control, data[1:]) for control, data in pdvs if data[0] & 1]


@given(st.binary(max_size=120))
@example(b"\0\0\0\1\2\0\0\0\x20")
@example(bytes.fromhex("0000000104000000200080000000"))
def test_any_bytes_are_a_command_or_a_protocol_error(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        dimse.parse_command(data)


@pytest.mark.parametrize(
    "data",
    [b"", b"\0\0", bytes.fromhex("08000001 02000000 2000"), bytes.fromhex("00000001 ffffffff 2000")],
)
def test_what_is_no_command_set_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        dimse.parse_command(data)
