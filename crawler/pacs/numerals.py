"""Numbers as texts, and texts joined, by whole columns. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]

NOTHING = pa.scalar("", pa.string())
_POWERS = 10 ** np.arange(17, -1, -1)


def fixed_bytes(matrix: npt.NDArray[np.uint8]) -> pa.Array:
    """Give the rows of a matrix of bytes as one binary array."""
    rows, width = matrix.shape
    offsets = np.arange(0, (rows + 1) * width, width, dtype=np.int32) if width else np.zeros(rows + 1, np.int32)
    data = np.ascontiguousarray(matrix)
    return pa.Array.from_buffers(pa.binary(), rows, [None, pa.py_buffer(offsets), pa.py_buffer(data)])


def calendar_numbers(days: npt.ArrayLike) -> Ints:
    """Write days since 1970 as numbers YYYYMMDD."""
    dates = np.asarray(days).astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    years = months.astype("datetime64[Y]").astype(np.int64) + 1970
    month = months.astype(np.int64) % 12 + 1
    day = (dates - months.astype("datetime64[D]")).astype(np.int64) + 1
    numbers: Ints = years * 10_000 + month * 100 + day
    return numbers


def digits(values: npt.ArrayLike, width: int) -> pa.Array:
    """Write whole numbers with leading zeros in exactly `width` characters; what is too long loses its front."""
    numbers = np.asarray(values, dtype=np.int64)[:, None]
    matrix = numbers // _POWERS[len(_POWERS) - width :] % 10 + 48
    return fixed_bytes(matrix.astype(np.uint8)).cast(pa.string())


def joined(*parts: pa.Array | str) -> pa.Array:
    """Concatenate texts row by row."""
    return pc.binary_join_element_wise(*(text(p) if isinstance(p, str) else p for p in parts), NOTHING)


def text(value: str) -> pa.Scalar:
    """Give a text as a scalar; without its type Arrow needs 45 microseconds to guess it."""
    return pa.scalar(value, pa.string())
