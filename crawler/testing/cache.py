"""A cache bounded by bytes that forgets what was used longest ago. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Protocol, TypeVar, cast


class Sized(Protocol):
    """What knows how much memory it takes."""

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        ...


T = TypeVar("T", bound=Sized)


class BoundedCache:
    """Keeps results under keys until they take more than `limit` bytes together; the newest one always stays."""

    def __init__(self, limit: int) -> None:
        self._limit, self._used = limit, 0
        self._kept: OrderedDict[Hashable, Sized] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Give what is kept under `key`, or make it and keep it. A key always stands for one type."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
            return cast(T, found)
        made = make()
        self._kept[key] = made
        self._used += made.nbytes
        while self._used > self._limit and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._used -= oldest.nbytes
        return made

    @property
    def nbytes(self) -> int:
        """Bytes kept now."""
        return self._used
