"""Many pending C-FIND responses as one piece of bytes, framed by numpy and Arrow rather than one by one. Pure."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crawler.pacs import framing
from crawler.pacs.numerals import Ints, fixed_bytes

_FEW = 24
"""Up to this many responses a Python loop is faster."""
_PDU_HEADER = framing.HEADER.size
_PDV_HEADER = framing.PDV_HEADER.size
_NO_BYTES = pa.scalar(b"", pa.binary())


def frame_responses(context_id: int, command: bytes, identifiers: pa.Array, max_pdu: int) -> bytes:
    """Frame one response for each identifier, all with the same command set; `max_pdu` 0 means no limit."""
    lengths: Ints = np.asarray(pc.binary_length(identifiers)) if len(identifiers) > _FEW else np.zeros(0, np.int64)
    if not len(lengths) or (max_pdu and lengths.max() + _PDV_HEADER > max_pdu):
        return framing.frame_messages(context_id, command, identifiers.to_pylist(), max_pdu)
    prefix = framing.frame_message(context_id, command, None, max_pdu)
    headers = np.empty((len(lengths), len(prefix) + _PDU_HEADER + _PDV_HEADER), np.uint8)
    template = prefix + framing.HEADER.pack(framing.PduType.P_DATA, 0, 0)
    template += framing.PDV_HEADER.pack(0, context_id, framing.LAST)
    headers[:] = np.frombuffer(template, np.uint8)
    at = len(prefix) + 2
    headers[:, at : at + 4] = _big_endian(lengths + _PDV_HEADER)
    headers[:, at + 4 : at + 8] = _big_endian(lengths + 2)
    framed = pc.binary_join_element_wise(fixed_bytes(headers), identifiers, _NO_BYTES)
    return _data(framed)


def _big_endian(numbers: Ints) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    return numbers.astype(">u4").view(np.uint8).reshape(-1, 4)


def _data(values: pa.Array) -> bytes:
    """Give all values of a binary array as one piece."""
    _, offsets, data = values.buffers()
    bounds = np.frombuffer(offsets, np.int32)
    start, stop = int(bounds[values.offset]), int(bounds[values.offset + len(values)])
    return bytes(data.slice(start, stop - start).to_pybytes())
