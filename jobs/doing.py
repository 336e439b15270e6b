"""Have orders done one after the other, say what is being done, and leave alone for a while what did not get through.

Touches: processes, clock.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import structlog

from crawler.errors import NewerLakeError
from crawler.serve.notify import Notifier
from jobs.exits import Exit
from jobs.holds import NEVER, NOT_NOW, Holds
from jobs.worker import Leash, Order, have_done

DONE = (Exit.OK, Exit.CAPPED)


class Doer:
    """The service's one pair of hands."""

    def __init__(self, notifier: Notifier, stopping: asyncio.Event) -> None:
        self._notifier = notifier
        self._stopping = stopping
        self._holds = Holds()
        self._log = structlog.get_logger()
        self.now: tuple[str, datetime] | None = None
        """What is being done, and since when."""

    def is_held(self, order: Order) -> bool:
        """Whether it is to be left alone at present."""
        return self._holds.is_held(order.name, order.held_for, time.monotonic())

    @property
    def failing(self) -> frozenset[str]:
        """The jobs that failed when they were done last."""
        return self._holds.failing

    def forget_holds(self) -> None:
        """Leave nothing alone any longer."""
        self._holds.clear()

    async def do(self, order: Order, leash: Leash | None = None) -> tuple[int, float]:
        """Have it done; give the exit code, and after how many seconds it may be tried again where it was not.

        NewerLakeError where a later release wrote the lake.
        """
        leash = leash or Leash(self._stopping)
        began, name = time.monotonic(), order.name
        if not order.is_chore:
            self._log.info("job begins", job=name, due_at=f"{order.slot:%Y-%m-%dT%H:%M:%SZ}")
            self._notifier.status(f"doing {name}")
        self.now = (name, datetime.now(UTC))
        try:
            code = await have_done(order, leash)
        finally:
            self.now = None
        if not order.is_chore:
            self._log.info("job ended", job=name, exit_code=code, took_s=round(time.monotonic() - began, 1))
        if code == Exit.NEWER_LAKE:
            raise NewerLakeError(f"A later release wrote the lake at {order.settings.lake.path}; install that one")
        if code in DONE:
            self._holds.release(name)
        elif not (leash.stop.is_set() or leash.cut.is_set()):
            return code, self._hold(order, code)
        return code, 0.0

    def _hold(self, order: Order, code: int) -> float:
        pause = self._holds.failed(order.name, order.held_for, code, time.monotonic(), order.failures)
        if code not in NOT_NOW:
            again = f", or in {pause / 60:.0f} minutes" if pause < NEVER else ""
            self._log.warning(
                "job did not get through", job=order.name, exit_code=code, again=f"at its next time{again}"
            )
        return pause
