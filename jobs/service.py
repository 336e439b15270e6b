"""Do the jobs of the settings when the ledger says that they are due, one after the other.

Touches: disk, clock, signals.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import structlog

from crawler.errors import LakeError, NewerLakeError, NoLakeError, UserError
from crawler.lake.job_runs import slots_done
from crawler.lake.requests import Requests
from crawler.plan.due import due, last_done, upcoming
from crawler.serve.metrics import Condition
from crawler.serve.notify import Notifier
from crawler.settings import Settings
from jobs.doing import Doer
from jobs.metrics import condition_of
from jobs.scheduler import Ticker, schedules_of
from jobs.wiring import settings_from
from jobs.worker import COUNTING, NEW_JOBS, Order

GLANCE = 15.0
"""Seconds between looks at the ledger when nothing is expected: a clock may have been set, a machine have slept."""


@dataclass(frozen=True, slots=True)
class Start:
    """How the service was started: by whom it is watched, and how much it says."""

    notifier: Notifier
    watchdog: float | None = None
    """Seconds within which a sign of life is wanted."""
    log_level: str = "info"


class Service:
    """Looks at the ledger, does what is due, looks again."""

    def __init__(self, file: Path, settings: Settings, start: Start) -> None:
        self.file = file
        self.start = start
        self.notifier = start.notifier
        self.stopping = asyncio.Event()
        self._awake = asyncio.Event()
        self._doer = Doer(start.notifier, self.stopping)
        self._uncounted = True
        self._settings_valid = True
        self._log = structlog.get_logger()
        self._obey(settings)

    def _obey(self, settings: Settings) -> None:
        """Take settings, whole or not at all. UserError where a schedule means nothing."""
        self._schedules = schedules_of(settings)
        self.settings = settings

    async def run(self) -> None:
        """Serve until a signal says stop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self.reload)
        ticker = Ticker(self._wake)
        ticker.start()
        self._log.info("serving", lake=self.settings.lake.path, jobs=list(self.settings.jobs))
        self.notifier.ready()
        living = asyncio.create_task(self._live())
        try:
            while not self.stopping.is_set():
                await self._look(ticker)
        finally:
            living.cancel()
            ticker.stop()
            self._log.info("stopped")

    def stop(self) -> None:
        """Stop the job under way, begin no other."""
        self.notifier.stopping()
        self.stopping.set()
        self._awake.set()

    def reload(self) -> None:
        """Read the settings anew; those of before stay where the new ones are wrong. A job under way keeps its own."""
        self.notifier.reloading()
        try:
            settings = settings_from(self.file)
            for name, before, now in (
                ("lake.path", self.settings.lake.path, settings.lake.path),
                ("serve.listen", self.settings.serve.listen, settings.serve.listen),
            ):
                if now != before:
                    raise UserError(f"{self.file}: {name} cannot change while the service runs; start it anew")
            self._obey(settings)
        except UserError as error:
            self._settings_valid = False
            self._log.error("settings not reloaded", reason=str(error))
        else:
            self._settings_valid = True
            self._doer.forget_holds()
            self._log.info("settings reloaded", jobs=list(settings.jobs))
        self.notifier.ready()
        self._awake.set()

    async def _live(self) -> None:
        """Give signs of life, twice as often as wanted, until cancelled."""
        while self.start.watchdog:
            self.notifier.alive()
            await asyncio.sleep(self.start.watchdog / 2)

    def wake(self) -> None:
        """Look at the ledger now."""
        self._awake.set()

    async def _wake(self) -> None:
        self.wake()

    def doing(self) -> tuple[str, datetime] | None:
        """Say what is being done, and since when."""
        return self._doer.now

    async def _look(self, ticker: Ticker) -> None:
        """Do what is due the longest, or wait until something may be."""
        self._awake.clear()
        now, done = datetime.now(UTC), self._done()
        new = tuple(job for job in self.settings.jobs if last_done(done.get(job, ()), now) is None)
        order = partial(Order, self.settings, log_level=self.start.log_level)
        if new and not self._doer.is_held(NEW_JOBS):
            await self._doer.do(order(now, NEW_JOBS, new=new))
            return
        wanted = [name for name, _ in Requests(self.settings.lake.path).waiting() if not self._doer.is_held(name)]
        if wanted:
            self._uncounted = True
            await self._doer.do(order(now, wanted[0], request=True), now)
            return
        ready = [one for one in due(self._schedules, done, now) if not self._doer.is_held(one.job, one.slot)]
        if ready:
            self._uncounted = True
            await self._doer.do(order(ready[0].slot, ready[0].job), ready[0].slot)
            return
        if self._uncounted:
            self._uncounted = False
            await self._doer.do(order(now, COUNTING, count=True))
            return
        if moment := upcoming(self._schedules, done, now):
            ticker.at(moment)
            self.notifier.status(f"waiting until {moment:%Y-%m-%d %H:%M:%S} UTC")
        with suppress(TimeoutError):
            await asyncio.wait_for(self._awake.wait(), GLANCE)

    def _done(self) -> dict[str, list[datetime]]:
        try:
            return slots_done(self.settings.lake.path)
        except NoLakeError:
            return {}
        except NewerLakeError:
            raise
        except LakeError as error:  # an older lake, or damaged views: writing in it mends both
            self._log.warning("the ledger cannot be read", reason=str(error))
            return {}

    def condition(self) -> Condition:
        """Say how jobs and PACS are now."""
        return condition_of(self.settings, self._schedules, settings_valid=self._settings_valid)
