"""Finding any of some thousand byte strings in a file in one go, at a third of a millisecond for half a megabyte.

A string of seven bytes or more covers a whole aligned word of four bytes wherever it lies, and one of five or six two
aligned words of two. So each aligned word is looked up in a small table of those that needles have at such places, by
numpy, and only where it says yes bytes are compared. bytes.find takes 50 to 300 µs a needle, `re` 2 ms. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

SHORTEST = 5
_LONG = 7
_BITS = 18
_SPREAD = np.uint32(2654435761)
"""Knuth's multiplier: words of similar bytes land far from each other."""

AT_ONCE = 8 << 20
_LONGEST = 4096


class HasBytes(Protocol):
    """What can be looked for."""

    @property
    def data(self) -> bytes:
        """The bytes, `SHORTEST` or more."""
        ...


N = TypeVar("N", bound=HasBytes)


@dataclass(frozen=True, slots=True)
class _At(Generic[N]):
    """A needle, and how many bytes of it lie before the word by which it is found."""

    needle: N
    before: int


class Needles(Generic[N]):
    """Byte strings that are looked for together."""

    def __init__(self, needles: Iterable[N]) -> None:
        self._long: dict[int, list[_At[N]]] = defaultdict(list)
        self._short: dict[int, list[_At[N]]] = defaultdict(list)
        for needle in needles:
            data = needle.data
            if not SHORTEST <= len(data) <= _LONGEST:
                raise ValueError(f"a needle has {SHORTEST} to {_LONGEST} bytes")
            found_by, places = (self._long, 4) if len(data) >= _LONG else (self._short, 2)
            for before in range(places):
                found_by[int.from_bytes(data[before : before + 4], "little")].append(_At(needle, before))
        self._words = np.array(sorted(self._long), np.uint32)
        self._table = np.zeros(1 << _BITS, np.bool_)
        self._table[_spread(self._words)] = True
        pairs = np.array(sorted(self._short), np.uint32)
        self._firsts, self._seconds = np.zeros((2, 1 << 16), np.bool_)
        self._firsts[pairs & 0xFFFF] = True
        self._seconds[pairs >> 16] = True

    def find(self, data: bytes) -> Iterator[tuple[int, N]]:
        """Give where needles begin, in no order."""
        for begin in range(0, max(len(data), 1), AT_ONCE):
            part = data if len(data) <= AT_ONCE else data[begin : begin + AT_ONCE + _LONGEST]
            for start, needle in (*self._find_long(part), *self._find_short(part)):
                if start < AT_ONCE:  # what begins later is found in the next part
                    yield begin + start, needle

    def _find_long(self, data: bytes) -> Iterator[tuple[int, N]]:
        words = np.frombuffer(data, "<u4", len(data) // 4)
        if not len(self._words) or not len(words):
            return
        places = np.flatnonzero(self._table.take(_spread(words), mode="clip"))
        looked_up = words[places]
        nearest = self._words[np.searchsorted(self._words, looked_up).clip(max=len(self._words) - 1)]
        places = places[nearest == looked_up]
        yield from _compared(data, places * 4, words[places], self._long)

    def _find_short(self, data: bytes) -> Iterator[tuple[int, N]]:
        halves = np.frombuffer(data, "<u2", len(data) // 2)
        if not self._short or len(halves) < 2:
            return
        places = np.flatnonzero(self._firsts.take(halves[:-1], mode="clip"))
        places = places[self._seconds.take(halves[places + 1], mode="clip")]
        words = halves[places].astype(np.uint32) | halves[places + 1].astype(np.uint32) << np.uint32(16)
        yield from _compared(data, places * 2, words, self._short)


def _spread(words: npt.NDArray[np.uint32]) -> npt.NDArray[np.intp]:
    return (words * _SPREAD >> np.uint32(32 - _BITS)).astype(np.intp)


def _compared(
    data: bytes, places: npt.NDArray[np.intp], words: npt.NDArray[np.uint32], found_by: dict[int, list[_At[N]]]
) -> Iterator[tuple[int, N]]:
    for place, word in zip(places.tolist(), words.tolist(), strict=True):
        for at in found_by.get(word, ()):
            start = place - at.before
            if start >= 0 and data.startswith(at.needle.data, start):
                yield start, at.needle
