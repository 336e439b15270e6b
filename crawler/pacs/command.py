"""Command sets (PS3.7 E): the little header of each DIMSE message, always Implicit VR Little Endian.

Encodes the requests that a crawler sends and the responses that a server sends; reads any command set into a small
value. Pure.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from crawler.errors import ProtocolError

SOP_CLASS = 0x0002
FIELD = 0x0100
MESSAGE_ID = 0x0110
RESPONDING_TO = 0x0120
MOVE_DESTINATION = 0x0600
PRIORITY = 0x0700
DATA_SET_TYPE = 0x0800
STATUS = 0x0900
ERROR_COMMENT = 0x0902
SOP_INSTANCE = 0x1000
REMAINING, COMPLETED, FAILED, WARNING = 0x1020, 0x1021, 0x1022, 0x1023
"""Element numbers in group 0000 (PS3.7 E.1)."""
FAILED_INSTANCES = 0x0008_0058
"""Tag of the Failed SOP Instance UID List (PS3.4 C.4.2.1.6)."""

C_STORE_RQ = 0x0001
C_GET_RQ = 0x0010
C_FIND_RQ = 0x0020
C_MOVE_RQ = 0x0021
C_ECHO_RQ = 0x0030
C_CANCEL_RQ = 0x0FFF
RESPONSE = 0x8000
"""Added to a request's command field it gives the field of its response."""
C_STORE_RSP = C_STORE_RQ | RESPONSE
C_GET_RSP = C_GET_RQ | RESPONSE
C_MOVE_RSP = C_MOVE_RQ | RESPONSE
C_FIND_RSP = C_FIND_RQ | RESPONSE
C_ECHO_RSP = C_ECHO_RQ | RESPONSE

NO_DATASET = 0x0101
HAS_DATASET = 0x0001
PENDING = frozenset((0xFF00, 0xFF01))
"""More responses follow (PS3.4 C.4.1.1.4); 0xFF01 adds that an optional key was not supported."""

VERIFICATION = "1.2.840.10008.1.1"

_ELEMENT = struct.Struct("<HHI")
_HEADER_SIZE = _ELEMENT.size
_US = struct.Struct("<H")
_NUMBER_ELEMENT = struct.Struct("<HHIH")
_COUNTERS = (REMAINING, COMPLETED, FAILED, WARNING)


class Counters(NamedTuple):
    """The sub-operations of a C-MOVE or C-GET as its responses count them (PS3.7 9.1.3); None where one is absent."""

    remaining: int | None = None
    completed: int | None = None
    failed: int | None = None
    warning: int | None = None


UNCOUNTED = Counters()


class Command(NamedTuple):
    """What a message is and whom it answers; None where the element is absent."""

    field: int
    has_dataset: bool
    message_id: int | None = None
    responding_to: int | None = None
    status: int | None = None
    sop_class: str = ""
    sop_instance: str = ""
    move_destination: str = ""
    error_comment: str = ""
    """Free text of the peer: it may hold a patient's value, so it is never logged."""
    counters: Counters = UNCOUNTED
    failed_instances: bytes = b""
    """(0008,0058), which belongs into a dataset; Orthanc puts it here."""

    @property
    def is_response(self) -> bool:
        """Whether it answers a request."""
        return bool(self.field & RESPONSE)

    @property
    def is_pending(self) -> bool:
        """Whether more responses follow."""
        return self.status in PENDING


def parse_command(data: bytes | bytearray | memoryview) -> Command:
    """Read an encoded command set. Raises ProtocolError when it is malformed or has no command field."""
    values: dict[int, bytes] = {}
    data, size, at = bytes(data), len(data), 0
    unpack = _ELEMENT.unpack_from
    while at < size:
        begin = at + _HEADER_SIZE
        if begin > size:
            raise ProtocolError("the peer sent a command set that ends inside an element header")
        group, element, length = unpack(data, at)
        at = begin + length
        if at > size:
            raise ProtocolError(f"the peer sent a malformed command set: element ({group:04X},{element:04X})")
        values[group << 16 | element] = data[begin:at]
    field = _number(values, FIELD)
    if field is None:
        raise ProtocolError("the peer sent a command set without a command field")
    return Command(
        field=field,
        has_dataset=_number(values, DATA_SET_TYPE) not in (None, NO_DATASET),
        message_id=_number(values, MESSAGE_ID),
        responding_to=_number(values, RESPONDING_TO),
        status=_number(values, STATUS),
        sop_class=_text(values, SOP_CLASS),
        sop_instance=_text(values, SOP_INSTANCE),
        move_destination=_text(values, MOVE_DESTINATION).strip(),
        error_comment=_text(values, ERROR_COMMENT),
        counters=_counters(values) if values.keys() & _COUNTERS else UNCOUNTED,
        failed_instances=values.get(FAILED_INSTANCES, b""),
    )


def encode_command(elements: Mapping[int, int | str]) -> bytes:
    """Encode elements of group 0000, in any order: numbers as US, text as UI or LO; adds the group length."""
    body = b"".join(
        [
            _NUMBER_ELEMENT.pack(0, number, _US.size, value) if isinstance(value, int) else _text_element(number, value)
            for number, value in sorted(elements.items())
        ]
    )
    return _ELEMENT.pack(0, 0, 4) + len(body).to_bytes(4, "little") + body


def find_request(message_id: int, sop_class: str) -> bytes:
    """Encode a C-FIND-RQ of medium priority (PS3.7 9.3.2.1)."""
    elements = {FIELD: C_FIND_RQ, MESSAGE_ID: message_id, PRIORITY: 0, DATA_SET_TYPE: HAS_DATASET}
    return encode_command({SOP_CLASS: sop_class, **elements})


def move_request(message_id: int, sop_class: str, destination: str) -> bytes:
    """Encode a C-MOVE-RQ of medium priority (PS3.7 9.3.4.1): send it to the AE title `destination`."""
    elements: dict[int, int | str] = {FIELD: C_MOVE_RQ, MESSAGE_ID: message_id, PRIORITY: 0, DATA_SET_TYPE: HAS_DATASET}
    return encode_command({SOP_CLASS: sop_class, MOVE_DESTINATION: destination, **elements})


def get_request(message_id: int, sop_class: str) -> bytes:
    """Encode a C-GET-RQ of medium priority (PS3.7 9.3.3.1)."""
    elements = {FIELD: C_GET_RQ, MESSAGE_ID: message_id, PRIORITY: 0, DATA_SET_TYPE: HAS_DATASET}
    return encode_command({SOP_CLASS: sop_class, **elements})


def echo_request(message_id: int) -> bytes:
    """Encode a C-ECHO-RQ (PS3.7 9.3.5.1)."""
    elements = {FIELD: C_ECHO_RQ, MESSAGE_ID: message_id, DATA_SET_TYPE: NO_DATASET}
    return encode_command({SOP_CLASS: VERIFICATION, **elements})


def cancel_request(message_id: int) -> bytes:
    """Encode a C-CANCEL-RQ for the request with that message id (PS3.7 9.3.2.3)."""
    return encode_command({FIELD: C_CANCEL_RQ, RESPONDING_TO: message_id, DATA_SET_TYPE: NO_DATASET})


def response(
    request: Command, status: int, *, has_dataset: bool = False, comment: str = "", counters: Counters = UNCOUNTED
) -> bytes:
    """Encode the response to a request: a C-FIND-RSP for a C-FIND-RQ, and so on."""
    elements: dict[int, int | str] = {
        SOP_CLASS: request.sop_class,
        FIELD: request.field | RESPONSE,
        RESPONDING_TO: request.message_id or 0,
        DATA_SET_TYPE: HAS_DATASET if has_dataset else NO_DATASET,
        STATUS: status,
    }
    if request.sop_instance:
        elements[SOP_INSTANCE] = request.sop_instance
    if comment:
        elements[ERROR_COMMENT] = comment[:64]  # an LO holds 64 characters (PS3.5 6.2)
    if counters is not UNCOUNTED:
        elements.update({tag: count for tag, count in zip(_COUNTERS, counters, strict=True) if count is not None})
    return encode_command(elements)


@lru_cache(256)
def _text_element(number: int, value: str) -> bytes:
    """Encode UI or LO; most are the same again and again."""
    encoded = value.encode("ascii", "replace")
    if len(encoded) % 2:
        encoded += b"\0" if number in (SOP_CLASS, SOP_INSTANCE) else b" "
    return _ELEMENT.pack(0, number, len(encoded)) + encoded


def _number(values: Mapping[int, bytes], number: int) -> int | None:
    value = values.get(number)
    if value is None:
        return None
    if len(value) != _US.size:
        raise ProtocolError(f"the peer sent command element (0000,{number:04X}) with {len(value)} bytes instead of 2")
    return int.from_bytes(value, "little")


def _counters(values: Mapping[int, bytes]) -> Counters:
    """Read the counters; nobody believes them, so an odd one is absent rather than an error."""
    found = (values.get(tag, b"") for tag in _COUNTERS)
    return Counters(*(int.from_bytes(value, "little") if len(value) == _US.size else None for value in found))


def _text(values: Mapping[int, bytes], number: int) -> str:
    value = values.get(number)
    return value.decode("ascii", "replace").rstrip("\0 ") if value else ""
