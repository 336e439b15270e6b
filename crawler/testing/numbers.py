"""Column-wise numbers: hashes that any part of an archive can compute on its own, and numbers as text. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]

NOTHING = pa.scalar("", pa.string())
_POWERS = 10 ** np.arange(17, -1, -1)
EPOCH = 719_163
"""Proleptic ordinal of 1970-01-01."""
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def unit_hash(values: Ints, salt: int) -> Reals:
    """Give each value a number in [0, 1) that depends on nothing but it and `salt` (splitmix64)."""
    with np.errstate(over="ignore"):
        z = values.astype(np.uint64) * _GOLDEN + np.uint64(salt % 2**64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def uniform(seed: int, stream: int, shape: tuple[int, ...]) -> Reals:
    """Draw numbers in [0, 1) that depend on `(seed, stream)` alone."""
    return np.random.Generator(np.random.PCG64([seed, stream])).random(shape)


def pick(draws: Reals, cumulative: Reals) -> Ints:
    """Choose indices by their cumulative shares, which end in 1."""
    return np.minimum(np.searchsorted(cumulative, draws, side="right"), len(cumulative) - 1)


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


def words(values: Iterable[str]) -> pa.Array:
    """Give texts as an array."""
    return pa.array(values, pa.string())


def chosen(table: pa.Array, codes: npt.ArrayLike) -> pa.Array:
    """Give `table[code]` for each code."""
    return table.take(pa.array(np.asarray(codes)))
