"""Do the jobs of the settings when the ledger says that they are due, one after the other.

Touches: disk, clock, signals.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from crawler.errors import UserError
from crawler.lake.lock import OwnerLock
from crawler.lake.requests import Requests
from crawler.plan.due import due, last_done, upcoming
from crawler.serve.metrics import Condition
from crawler.settings import Settings
from jobs.alerts import Alerts
from jobs.doing import Doer
from jobs.metrics import condition_of
from jobs.scheduler import Ticker, schedules_of
from jobs.start import Start
from jobs.troubles import Known
from jobs.watched import WatchedLake
from jobs.wiring import settings_anew
from jobs.worker import COUNTING, NEW_JOBS, Order

GLANCE = 15.0
"""Seconds between looks at the ledger when nothing is expected: a clock may have been set, a machine have slept."""
REST = 10
"""The lake's rows are counted again after so many times as long as counting took."""


class Service:
    """Looks at the ledger, does what is due, looks again."""

    def __init__(self, file: Path, settings: Settings, start: Start) -> None:
        self.file = file
        self.start = start
        self.notifier = start.notifier
        self.stopping = asyncio.Event()
        self._awake = asyncio.Event()
        self._doer = Doer(start.notifier, self.stopping)
        self.renewing: list[Callable[[], None]] = []
        """What else is read anew with the settings. UserError, and all stays as it was, where it is wrong."""
        self._uncounted, self._count_from = True, 0.0
        self._settings_valid = True
        self._log = structlog.get_logger()
        self._obey(settings)
        self._lake = WatchedLake(settings.lake.path, is_copy=settings.lake.place is not None)
        self._alerts = Alerts(self._known)

    def _obey(self, settings: Settings) -> None:
        """Take settings, whole or not at all. UserError where a schedule means nothing."""
        self._schedules = schedules_of(settings)
        self.settings = settings

    def heed_signals(self) -> None:
        """Stop, or read the settings anew, when a signal says so, also while the pages are being opened."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self.reload)

    async def run(self, lock: OwnerLock) -> None:
        """Serve until a signal says stop. While the lake is gone nothing is begun, least of all another lake."""
        ticker = Ticker(self._wake)
        ticker.start()
        self._log.info("serving", lake=self.settings.lake.path, jobs=list(self.settings.jobs))
        self.notifier.ready()
        aside = [asyncio.create_task(self._live()), asyncio.create_task(self._alert())]
        for task in aside:
            task.add_done_callback(self._say_why)
        try:
            while not self.stopping.is_set():
                if await asyncio.to_thread(self._lake.is_there, lock):
                    await self._look(ticker)
                else:
                    await self._rest(GLANCE)
                self._alerts.look_now()
        finally:
            for task in aside:
                task.cancel()
            await asyncio.wait(aside)
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
            settings = settings_anew(self.file, self.settings)
            for renew in self.renewing:
                renew()
            self._obey(settings)
        except UserError as error:
            self._settings_valid = False
            self._log.error("settings not reloaded", reason=str(error))
        else:
            self._settings_valid = True
            self._doer.forget_holds()
            self._log.info("settings reloaded", jobs=list(self.settings.jobs))
        self.notifier.ready()
        self._alerts.look_now()
        self._awake.set()

    def _say_why(self, task: asyncio.Task[None]) -> None:
        """Log that something ended which should not have: without it the service still does its jobs."""
        if not task.cancelled() and (error := task.exception()):
            self._log.error("unexpected", exc_info=error)

    async def _live(self) -> None:
        """Give signs of life, twice as often as wanted, until cancelled."""
        while self.start.watchdog:
            self.notifier.alive()
            await asyncio.sleep(self.start.watchdog / 2)

    async def _alert(self) -> None:
        await self._alerts.run()

    def wake(self) -> None:
        """Look at the ledger now, and try again what did not get through."""
        self._doer.forget_holds()
        self._awake.set()

    async def _wake(self) -> None:
        self._awake.set()

    def doing(self) -> tuple[str, datetime] | None:
        """Say what is being done, and since when."""
        return self._doer.now

    async def _look(self, ticker: Ticker) -> None:
        """Do what comes first, or wait until something may be due."""
        now, done = datetime.now(UTC), await asyncio.to_thread(self._lake.done)
        if order := self._first(now, done):
            await self._doer.do(order)
            self._uncounted = True
        elif not await self._count(now):
            count_in = self._count_from - time.monotonic() if self._uncounted else GLANCE
            await self._wait(ticker, done, now, min(GLANCE, count_in))

    async def _count(self, now: datetime) -> bool:
        """Count the lake's rows where that is due; say whether."""
        if not self._uncounted or self._count_from > time.monotonic():
            return False
        began = time.monotonic()
        await self._doer.do(self._order(now, COUNTING, count=True))
        self._uncounted, self._count_from = False, time.monotonic() + REST * (time.monotonic() - began)
        return True

    async def _wait(self, ticker: Ticker, done: Mapping[str, list[datetime]], now: datetime, most: float) -> None:
        """Wait so many seconds, or until a job is due."""
        if moment := upcoming(self._schedules, done, now):
            ticker.at(moment)
            self.notifier.status(f"waiting until {moment:%Y-%m-%d %H:%M:%S} UTC")
        await self._rest(most)

    async def _rest(self, seconds: float) -> None:
        """Wait so long, or until somebody wakes it."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._awake.wait(), seconds)
        self._awake.clear()

    def _first(self, now: datetime, done: Mapping[str, list[datetime]]) -> Order | None:
        """Say what comes first."""
        return next((order for order in self._orders(now, done) if not self._doer.is_held(order)), None)

    def _orders(self, now: datetime, done: Mapping[str, list[datetime]]) -> list[Order]:
        """Give what is to be done: to note that jobs are new, what people asked for, the jobs that are due."""
        new = tuple(job for job in self.settings.jobs if last_done(done.get(job, ()), now) is None)
        wanted = Requests(self.settings.lake.path).waiting()
        return [
            *([self._order(now, NEW_JOBS, new=new)] if new else []),
            *(self._order(request.at, name, request=True) for name, request in wanted),
            *(self._order(one.slot, one.job) for one in due(self._schedules, done, now)),
        ]

    def _order(self, slot: datetime, name: str, **what: Any) -> Order:
        return Order(self.settings, slot, name, log_level=self.start.log_level, **what)

    def _known(self) -> Known:
        return Known(self.settings, self._schedules, self._settings_valid, self._doer.failing, self._lake.is_lost)

    def condition(self) -> Condition:
        """Say how jobs and PACS are now."""
        return condition_of(self.settings, self._schedules, settings_valid=self._settings_valid)
