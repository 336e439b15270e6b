"""Have orders done one after the other, say what is being done, and leave alone for a while what did not get through.

Touches: processes, clock.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime

import structlog

from crawler.errors import LakeError, NewerLakeError
from crawler.lake.job_runs import states_since
from crawler.model import JobState
from crawler.serve.notify import Notifier
from jobs.exits import STATES, Exit
from jobs.holds import NEVER, NOT_NOW, Holds
from jobs.worker import Leash, Order, have_done

DONE = (Exit.OK, Exit.CAPPED)
_CODES = {state: code for code, state in STATES.items()} | {JobState.FAILED: Exit.ERROR}


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

    async def do(self, order: Order, leash: Leash | None = None) -> dict[str, tuple[int, float]]:
        """Have it done; give the exit code of each job, and after how many seconds it may be tried again if it has to.

        NewerLakeError where a later release wrote the lake.
        """
        leash = leash or Leash(self._stopping)
        if not order.is_chore:
            for name, slot in order.slots.items():
                self._log.info("job begins", job=name, due_at=f"{slot:%Y-%m-%dT%H:%M:%SZ}")
            self._notifier.status(f"doing {order.title}")
        began, clock = datetime.now(UTC), time.monotonic()
        self.now = (order.title, began)
        try:
            code = await have_done(order, leash)
        finally:
            self.now = None
        codes = dict.fromkeys(order.slots, code)
        if order.beside and not leash.cut.is_set():  # what another may have taken, it writes down too
            codes |= await asyncio.to_thread(_written, order, began)
        if not order.is_chore:
            for name, ended in codes.items():
                took = round(time.monotonic() - clock, 1)
                self._log.info("job ended", job=name, exit_code=ended, took_s=took)
        if code == Exit.NEWER_LAKE:
            raise NewerLakeError(f"A later release wrote the lake at {order.settings.lake.path}; install that one")
        is_stopped = leash.stop.is_set() or leash.cut.is_set()
        return {name: (ended, self._judge(order, name, ended, is_stopped)) for name, ended in codes.items()}

    def _judge(self, order: Order, name: str, code: int, is_stopped: bool) -> float:
        """Leave a job alone that did not get through; gives for how many seconds."""
        if code in DONE:
            self._holds.release(name)
        if code in DONE or is_stopped:
            return 0.0
        held_for = None if order.is_chore else order.slots[name]
        pause = self._holds.failed(name, held_for, code, time.monotonic(), order.failures)
        if code not in NOT_NOW:
            again = f", or in {pause / 60:.0f} minutes" if pause < NEVER else ""
            self._log.warning("job did not get through", job=name, exit_code=code, again=f"at its next time{again}")
        return pause


def _written(order: Order, since: datetime) -> dict[str, int]:
    """Say how those of several jobs ended that are written down in the lake."""
    with suppress(LakeError):
        states = states_since(order.settings.lake.path, since)
        return {name: _CODES[state] for name, state in states.items() if name in order.slots}
    return {}
