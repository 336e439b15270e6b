"""Column-wise numbers: hashes that any part of an archive can compute on its own. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crawler.pacs.numerals import Ints

Reals = npt.NDArray[np.float64]

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


def words(values: Iterable[str]) -> pa.Array:
    """Give texts as an array."""
    return pa.array(values, pa.string())


def chosen(table: pa.Array, codes: npt.ArrayLike) -> pa.Array:
    """Give `table[code]` for each code."""
    return table.take(pa.array(np.asarray(codes)))
