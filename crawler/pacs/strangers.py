"""Says in the log who was turned away at a port of ours: at once, then once a minute. Touches: clock, log."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

_EVERY = 60.0
_KINDS = 100
"""Addresses and reasons that are told apart; a stranger may have any number of addresses."""


class Strangers:
    """Counts connections that were closed; call it with the address of each and the reason, in one event loop."""

    def __init__(self, say: Callable[[int, str, str, int], None] | None = None) -> None:
        """`say` is told instead of the log: how many, one address, why, and how many others."""
        self._tell = say or in_log
        self._unsaid: Counter[tuple[str, str]] = Counter()
        self._rests = False

    def __call__(self, address: str, why: str) -> None:
        """Count one."""
        kind = (address, why)
        self._unsaid[kind if kind in self._unsaid or len(self._unsaid) < _KINDS else ("others", why)] += 1
        if not self._rests:
            self._say()

    def _say(self) -> None:
        self._rests = bool(self._unsaid)
        if not self._rests:
            return
        [((host, why), count)] = self._unsaid.most_common(1)
        others = self._unsaid.total() - count
        self._tell(count, host, why, others)
        self._unsaid.clear()
        asyncio.get_running_loop().call_later(_EVERY, self._say)


def in_log(count: int, host: str, why: str, others: int) -> None:
    """Say it in the log."""
    import structlog  # takes 0.1 s, which the process that receives objects need not wait

    more = {"others": others} if others else {}
    structlog.get_logger().warning("connections were closed", connections=count, host=host, reason=why, **more)
