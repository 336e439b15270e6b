"""The DICOM upper layer as bytes (PS3.8 9.3): a stream cut into PDUs, P-DATA-TF cut into PDVs, and the way back.

Knows no socket and no clock: bytes come in by `room` and `filled`, PDUs go out by `take`. A PDU of a type that does
not belong to the moment, or longer than that type may be, is refused from its six header bytes alone, so a peer
cannot make us keep more than `PduBuffer.capacity` bytes. Pure.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import NamedTuple

from crawler.errors import ProtocolError


class PduType(IntEnum):
    """The seven kinds of PDU (PS3.8 9.3.1)."""

    ASSOCIATE_RQ = 1
    ASSOCIATE_AC = 2
    ASSOCIATE_RJ = 3
    P_DATA = 4
    RELEASE_RQ = 5
    RELEASE_RP = 6
    ABORT = 7


class Pdu(NamedTuple):
    """One PDU without its header."""

    type: PduType
    body: bytes | memoryview
    """Of a P-DATA-TF a view, which the next reception overwrites."""


class Pdv(NamedTuple):
    """One presentation data value: a fragment of a command or of a dataset (PS3.8 9.3.5.1)."""

    context_id: int
    is_command: bool
    is_last: bool
    data: bytes | memoryview


HEADER = struct.Struct(">BBI")
PDV_HEADER = struct.Struct(">IBB")
COMMAND = 0x01
LAST = 0x02

ASSOCIATE_CAP = 128 * 1024
"""Body of an A-ASSOCIATE-RQ or -AC; 128 presentation contexts with 12 transfer syntaxes each take about 50 KiB."""
_SHORT = 4  # A-ASSOCIATE-RJ, A-RELEASE and A-ABORT have bodies of four bytes (PS3.8 9.3.4 to 9.3.8)
_READ_SIZE = 256 * 1024

TypeCaps = Mapping[PduType, int]
"""Which PDU types may come now, and how long the body of each may be."""

BEFORE_REQUEST: TypeCaps = {PduType.ASSOCIATE_RQ: ASSOCIATE_CAP, PduType.ABORT: _SHORT}
BEFORE_ANSWER: TypeCaps = {
    PduType.ASSOCIATE_AC: ASSOCIATE_CAP,
    PduType.ASSOCIATE_RJ: _SHORT,
    PduType.ABORT: _SHORT,
}


def established(max_pdu: int) -> TypeCaps:
    """Give what may come once the association stands."""
    short = dict.fromkeys((PduType.RELEASE_RQ, PduType.RELEASE_RP, PduType.ABORT), _SHORT)
    return {PduType.P_DATA: max_pdu, **short}


class PduBuffer:
    """Bytes received and not yet taken. `data[start:end]` may be read in place; `start` moves on as they are used."""

    def __init__(self, max_pdu: int, expected: TypeCaps) -> None:
        self.max_pdu = max_pdu
        self.expected = expected
        self.capacity = max(_READ_SIZE, ASSOCIATE_CAP + HEADER.size, 2 * (max_pdu + HEADER.size))
        """Two whole PDUs always fit, so a response of a command PDU and a dataset PDU can be read in one piece."""
        self.data = bytearray(self.capacity)
        self.start = 0
        self.end = 0
        self._moved = 0
        self._view = memoryview(self.data)

    def __len__(self) -> int:
        return self.end - self.start

    @property
    def taken(self) -> int:
        """How many bytes were ever taken."""
        return self._moved + self.start

    def room(self) -> memoryview:
        """Give the free part to receive into; empty when the buffer is full and its user must take something first."""
        if self.start and (self.start == self.end or self.capacity - self.end < self.capacity // 2):
            left = len(self)
            self._view[:left] = self._view[self.start : self.end]
            self._moved += self.start
            self.start, self.end = 0, left
        return self._view[self.end :]

    def filled(self, count: int) -> None:
        """Say that `count` bytes were received into the free part."""
        self.end += count

    def feed(self, data: bytes | memoryview) -> int:
        """Copy as much of `data` as there is room for, and give its length."""
        room = self.room()
        count = min(len(room), len(data))
        room[:count] = data[:count]
        self.end += count
        return count

    def view(self, begin: int, stop: int) -> memoryview:
        """Look at a part of `data` without copying it; it is overwritten by the next reception."""
        return self._view[begin:stop]

    def take(self) -> Pdu | None:
        """Take the next PDU, or give None when it is not yet complete. Raises ProtocolError."""
        begin = self.start + HEADER.size
        if begin > self.end:
            return None
        kind, _, length = HEADER.unpack_from(self.data, self.start)
        cap = self.expected.get(kind)
        if cap is None:
            raise ProtocolError(f"the peer sent PDU type 0x{kind:02X}, which may not come now")
        if length > cap:
            raise ProtocolError(f"the peer sent a PDU of {length} bytes; the limit for its type is {cap}")
        if begin + length > self.end:
            return None
        self.start = begin + length
        body = self._view[begin : self.start]
        return Pdu(PduType.P_DATA, body) if kind == PduType.P_DATA else Pdu(PduType(kind), bytes(body))


def split_pdvs(body: bytes | memoryview) -> list[Pdv]:
    """Cut the body of a P-DATA-TF into its PDVs. Raises ProtocolError when lengths do not add up."""
    view, at, pdvs = memoryview(body), 0, []
    while at < len(body):
        if at + PDV_HEADER.size > len(body):
            raise ProtocolError("the peer sent a P-DATA-TF that ends inside a PDV header")
        length, context_id, control = PDV_HEADER.unpack_from(body, at)
        stop = at + 4 + length
        if length < 2 or stop > len(body):
            raise ProtocolError(f"the peer sent a PDV of {length} bytes in a P-DATA-TF of {len(body)}")
        pdvs.append(Pdv(context_id, bool(control & COMMAND), bool(control & LAST), view[at + PDV_HEADER.size : stop]))
        at = stop
    if not pdvs:
        raise ProtocolError("the peer sent a P-DATA-TF without a PDV")
    return pdvs


def frame_message(context_id: int, command: bytes, dataset: bytes | None, max_pdu: int = 0) -> bytes:
    """Frame one message, each part in PDUs of its own as most implementations do. `max_pdu` 0 means no limit."""
    framed = _frame_part(context_id, COMMAND, command, max_pdu)
    if dataset is not None:
        framed += _frame_part(context_id, 0, dataset, max_pdu)
    return framed


def frame_messages(context_id: int, command: bytes, datasets: Iterable[bytes], max_pdu: int = 0) -> bytes:
    """Frame many messages that share one command, as a server does that answers a C-FIND."""
    prefix = _frame_part(context_id, COMMAND, command, max_pdu)
    limit = _fragment_limit(max_pdu)
    header = struct.Struct(">BBIIBB").pack
    parts: list[bytes] = []
    for dataset in datasets:
        size = len(dataset)
        if size <= limit:
            parts += (prefix, header(PduType.P_DATA, 0, size + 6, size + 2, context_id, LAST), dataset)
        else:
            parts += (prefix, _frame_part(context_id, 0, dataset, max_pdu))
    return b"".join(parts)


def frame_fragment(context_id: int, data: bytes, *, is_last: bool) -> bytes:
    """Frame one fragment of a dataset, in a PDU of its own."""
    pdv = PDV_HEADER.pack(len(data) + 2, context_id, LAST if is_last else 0)
    return HEADER.pack(PduType.P_DATA, 0, len(data) + PDV_HEADER.size) + pdv + data


def frame(kind: PduType, body: bytes = bytes(_SHORT)) -> bytes:
    """Frame one PDU."""
    return HEADER.pack(kind, 0, len(body)) + body


def abort(source: int = 0, reason: int = 0) -> bytes:
    """Give an A-ABORT (PS3.8 9.3.8); source 0 is the service user, 2 the provider."""
    return frame(PduType.ABORT, bytes((0, 0, source, reason)))


def _fragment_limit(max_pdu: int) -> int:
    return max(max_pdu - PDV_HEADER.size, 1) if max_pdu else 0xFFFF_FFFF - 16


def _frame_part(context_id: int, kind: int, data: bytes, max_pdu: int) -> bytes:
    limit = _fragment_limit(max_pdu)
    framed: list[bytes] = []
    for at in range(0, len(data) or 1, limit):
        fragment = data[at : at + limit]
        control = kind | (LAST if at + limit >= len(data) else 0)
        pdv = PDV_HEADER.pack(len(fragment) + 2, context_id, control)
        framed += (HEADER.pack(PduType.P_DATA, 0, len(fragment) + PDV_HEADER.size), pdv, fragment)
    return b"".join(framed)
