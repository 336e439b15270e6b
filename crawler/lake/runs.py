"""Sorted runs of keys: what the key index is made of, as arrays. Pure.

A run is an array of shape (5, n), unsigned 64 bit, a column per key, ascending by (HIGH, LOW). HIGH and LOW are two
independent hashes of a key: 128 bits together, so that two keys of an archive never meet; HIGH alone may repeat.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

HIGH, LOW, HASH, ROW, SEEN = range(5)
"""Rows of a run: the key's two hashes, the hash of its current version, that version's row_id, first_seen_at in µs."""

Run: TypeAlias = NDArray[np.uint64]
Positions: TypeAlias = NDArray[np.int64]


def empty_run(length: int = 0) -> Run:
    """Make room for a run."""
    return np.empty((5, length), np.uint64)


def key_order(high: NDArray[np.uint64], low: NDArray[np.uint64]) -> Positions:
    """Give the stable order by (high, low)."""
    order = np.argsort(high, kind="stable")
    ascending_high, ascending_low = high[order], low[order]
    meets = (ascending_high[1:] == ascending_high[:-1]) & (ascending_low[1:] != ascending_low[:-1])
    if meets.any():
        order = np.lexsort((low, high))
    return order


def last_of_each(high: NDArray[np.uint64], low: NDArray[np.uint64]) -> Positions:
    """Give the position of the last occurrence of each key, in key order."""
    order = key_order(high, low)
    ascending_high, ascending_low = high[order], low[order]
    last = np.ones(order.size, np.bool_)
    last[:-1] = (ascending_high[1:] != ascending_high[:-1]) | (ascending_low[1:] != ascending_low[:-1])
    return order[last]


def find(run: Run, high: NDArray[np.uint64], low: NDArray[np.uint64]) -> Positions:
    """Give the position of each key in the run, -1 where it is not there. Ascending keys are found fastest."""
    length = run.shape[1]
    position = np.searchsorted(run[HIGH], high)
    found = np.full(high.size, -1, np.int64)
    open_ = np.flatnonzero(position < length)
    while open_.size:
        open_ = open_[run[HIGH][position[open_]] == high[open_]]
        hit = run[LOW][position[open_]] == low[open_]
        found[open_[hit]] = position[open_[hit]]
        open_ = open_[~hit]
        position[open_] += 1
        open_ = open_[position[open_] < length]
    return found


def merge(older: Run, newer: Run) -> Run:
    """Join two runs; of a key in both the newer one's entry stays."""
    both = np.concatenate((older, newer), axis=1)
    return both[:, last_of_each(both[HIGH], both[LOW])]


def merge_in_parts(older: Run, newer: Run, part: int = 1 << 16) -> Iterator[Run]:
    """Give `merge(older, newer)` in parts of about `part` keys, so that memory does not grow with the runs."""
    larger = older if older.shape[1] >= newer.shape[1] else newer
    old_at = new_at = 0
    for pivot in larger[HIGH, part::part]:
        old_to, new_to = (int(np.searchsorted(run[HIGH], pivot)) for run in (older, newer))
        yield merge(older[:, old_at:old_to], newer[:, new_at:new_to])
        old_at, new_at = old_to, new_to
    yield merge(older[:, old_at:], newer[:, new_at:])


class RunStack:
    """Runs from oldest to newest, merged so that each is longer than the next: about log2(keys / batch) of them."""

    def __init__(self) -> None:
        self.runs: list[Run] = []

    def push(self, run: Run) -> None:
        """Add the newest run."""
        if not run.shape[1]:
            return
        self.runs.append(run)
        while len(self.runs) > 1 and self.runs[-2].shape[1] <= self.runs[-1].shape[1]:
            newer, older = self.runs.pop(), self.runs.pop()
            self.runs.append(merge(older, newer))

    def drain(self) -> Run:
        """Take everything out as one run."""
        whole = empty_run()
        while self.runs:
            whole = merge(self.runs.pop(), whole)
        return whole


def look_up(runs: list[Run], high: NDArray[np.uint64], low: NDArray[np.uint64]) -> tuple[NDArray[np.bool_], Run]:
    """Find each key's newest entry among runs given oldest first: which keys are known, and their entries."""
    known = np.zeros(high.size, np.bool_)
    entries = np.zeros((5, high.size), np.uint64)
    for run in reversed(runs):
        open_ = np.flatnonzero(~known)
        found = find(run, high[open_], low[open_])
        hit = found >= 0
        entries[:, open_[hit]] = run[:, found[hit]]
        known[open_[hit]] = True
    return known, entries
