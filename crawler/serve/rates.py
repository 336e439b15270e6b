"""How often somebody may do something: a bucket for each, that empties by use and fills with time. Pure."""

from __future__ import annotations

from collections import OrderedDict

MOST = 10_000
"""Buckets that are kept; those that were not touched for the longest go first."""


class Buckets:
    """One for each name or address. Each holds `size`, and `per_second` flows in."""

    def __init__(self, size: float, per_second: float) -> None:
        self._size = size
        self._per_second = per_second
        self._kept: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, now: float) -> float:
        """Take one out and give 0; where there is none, give the seconds until there will be."""
        left = self._left(key, now)
        if left < 1:
            self._keep(key, left, now)
            return (1 - left) / self._per_second
        self._keep(key, left - 1, now)
        return 0.0

    def give_back(self, key: str, now: float) -> None:
        """Put one back that was taken for nothing."""
        self._keep(key, min(self._left(key, now) + 1, self._size), now)

    def _left(self, key: str, now: float) -> float:
        left, then = self._kept.get(key, (self._size, now))
        return min(left + (now - then) * self._per_second, self._size)

    def _keep(self, key: str, left: float, now: float) -> None:
        self._kept[key] = (left, now)
        self._kept.move_to_end(key)
        if len(self._kept) > MOST:
            self._kept.popitem(last=False)
