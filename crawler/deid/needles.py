"""Finding any of some thousand byte strings in a file in one go, at a third of a millisecond for half a megabyte.

A string of five bytes or more covers two that begin at a multiple of four, and the two after or before these, wherever
it lies. So two bytes at each such place are looked up in a small table of those that needles have there, by numpy; only
where it says yes their neighbours are, and then bytes are compared. bytes.find takes 50 to 300 µs a needle, `re` 2 ms.
Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

SHORTEST = 5
AT_ONCE = 8 << 20
_LONGEST = 4096


class HasBytes(Protocol):
    """What can be looked for."""

    @property
    def data(self) -> bytes:
        """The bytes, `SHORTEST` or more."""
        ...


N = TypeVar("N", bound=HasBytes)


class _Words(Generic[N]):
    """Needles by four bytes of each."""

    def __init__(self) -> None:
        self._found_by: dict[int, list[tuple[int, N]]] = defaultdict(list)
        self.former, self.latter = np.zeros((2, 1 << 16), np.bool_)
        """Which two bytes begin such four, and which end them."""

    def add(self, needle: N, before: int) -> None:
        """Have a needle found by its four bytes after the first `before`."""
        word = int.from_bytes(needle.data[before : before + 4], "little")
        self._found_by[word].append((before, needle))
        self.former[word & 0xFFFF] = self.latter[word >> 16] = True

    @cached_property
    def _words(self) -> npt.NDArray[np.uint32]:
        return np.array(sorted(self._found_by), np.uint32)

    def compared(
        self, data: bytes, halves: npt.NDArray[np.uint16], places: npt.NDArray[np.intp]
    ) -> Iterator[tuple[int, N]]:
        """Give the needles whose four bytes are the halves at these places."""
        if not len(places):
            return
        words = halves[places] | halves[places + 1].astype(np.uint32) << 16
        sure = self._words[np.searchsorted(self._words, words).clip(max=len(self._words) - 1)] == words
        for place, word in zip((2 * places[sure]).tolist(), words[sure].tolist(), strict=True):
            for before, needle in self._found_by[word]:
                start = place - before
                if start >= 0 and data.startswith(needle.data, start):
                    yield start, needle


class Needles(Generic[N]):
    """Byte strings that are looked for together."""

    def __init__(self, needles: Iterable[N]) -> None:
        self._after: _Words[N] = _Words()
        self._around: _Words[N] = _Words()
        for needle in needles:
            length = len(needle.data)
            if not SHORTEST <= length <= _LONGEST:
                raise ValueError(f"a needle has {SHORTEST} to {_LONGEST} bytes")
            for before in range(4):
                if before + 4 <= length:
                    self._after.add(needle, before)
                else:
                    self._around.add(needle, before - 2)
        self._known = self._after.former | self._around.latter

    def find(self, data: bytes) -> Iterator[tuple[int, N]]:
        """Give where needles begin, in no order."""
        for begin in range(0, max(len(data), 1), AT_ONCE):
            part = data if len(data) <= AT_ONCE else data[begin : begin + AT_ONCE + _LONGEST]
            for start, needle in self._find(part):
                if start < AT_ONCE:  # what begins later is found in the next part
                    yield begin + start, needle

    def _find(self, data: bytes) -> Iterator[tuple[int, N]]:
        whole = data + bytes(-len(data) % 4)
        at_fours = np.bitwise_and(np.frombuffer(whole, "<u4"), 0xFFFF, dtype=np.intp)
        halves = np.frombuffer(whole, "<u2")
        places = 2 * np.flatnonzero(self._known.take(at_fours, mode="clip"))
        after = places[self._after.latter[halves[places + 1]]]
        yield from self._after.compared(data, halves, after)
        around = places[places > 0] - 1
        yield from self._around.compared(data, halves, around[self._around.former[halves[around]]])
