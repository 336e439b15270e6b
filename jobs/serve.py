"""`pacslake serve`: do the jobs of the settings when the ledger says that they are due, one after the other.

Touches: network, disk, clock, signals.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from crawler.errors import LakeError, NewerLakeError, NoLakeError, UserError
from crawler.lake.job_runs import slots_done
from crawler.lake.lock import OwnerLock
from crawler.plan.due import Due, due, last_done, upcoming
from crawler.serve.metrics import Condition
from crawler.serve.notify import Notifier
from crawler.serve.site import listening
from crawler.settings import Settings
from jobs.exits import Exit
from jobs.holds import NEVER, NOT_NOW, Holds
from jobs.metrics import condition_of
from jobs.pages import pages
from jobs.scheduler import Ticker, schedules_of
from jobs.wiring import settings_from
from jobs.worker import Order, have_done

GLANCE = 15.0
"""Seconds between looks at the ledger when nothing is expected: a clock may have been set, a machine have slept."""
SERVICE_LOCK = "service.lock"


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
        self._holds = Holds()
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
            self._holds.clear()
            self._log.info("settings reloaded", jobs=list(settings.jobs))
        self.notifier.ready()
        self._awake.set()

    async def _live(self) -> None:
        """Give signs of life, twice as often as wanted, until cancelled."""
        while self.start.watchdog:
            self.notifier.alive()
            await asyncio.sleep(self.start.watchdog / 2)

    async def _wake(self) -> None:
        self._awake.set()

    async def _look(self, ticker: Ticker) -> None:
        """Do what is due the longest, or wait until something may be."""
        self._awake.clear()
        now, done = datetime.now(UTC), self._done()
        new = tuple(job for job in self.settings.jobs if last_done(done.get(job, ()), now) is None)
        if new and not self._is_held("", None):
            await self._do(Order(self.settings, now, new=new, log_level=self.start.log_level), None)
            return
        ready = [one for one in due(self._schedules, done, now) if not self._is_held(one.job, one.slot)]
        if ready:
            order = Order(self.settings, ready[0].slot, ready[0].job, log_level=self.start.log_level)
            await self._do(order, ready[0])
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

    async def _do(self, order: Order, what: Due | None) -> None:
        began, name = time.monotonic(), order.job or "(new jobs)"
        if what:
            self._log.info("job begins", job=name, due_at=f"{what.slot:%Y-%m-%dT%H:%M:%SZ}")
            self.notifier.status(f"doing {name}")
        code = await have_done(order, self.stopping)
        if what:
            self._log.info("job ended", job=name, exit_code=code, took_s=round(time.monotonic() - began, 1))
        if code == Exit.NEWER_LAKE:
            raise NewerLakeError(f"A later release wrote the lake at {self.settings.lake.path}; install that one")
        if code in (Exit.OK, Exit.CAPPED):
            self._holds.release(order.job)
        elif not self.stopping.is_set():
            self._hold(order.job, what.slot if what else None, code)

    def _is_held(self, job: str, slot: datetime | None) -> bool:
        return self._holds.is_held(job, slot, time.monotonic())

    def _hold(self, job: str, slot: datetime | None, code: int) -> None:
        pause = self._holds.failed(job, slot, code, time.monotonic())
        if code not in NOT_NOW:
            again = f", or in {pause / 60:.0f} minutes" if pause < NEVER else ""
            self._log.warning("job did not get through", job=job, exit_code=code, again=f"at its next time{again}")

    def condition(self) -> Condition:
        """Say how jobs and PACS are now."""
        return condition_of(self.settings, self._schedules, settings_valid=self._settings_valid)


def run_serve(file: Path, settings: Settings, start: Start) -> int:
    """Serve; LakeLockedError where another service does for this lake, UserError where its address is taken."""
    service = Service(file, settings, start)
    settings.lake.path.mkdir(parents=True, exist_ok=True)
    with OwnerLock(settings.lake.path, SERVICE_LOCK, "served by"):
        address = settings.serve.address
        with listening(address) if address else nullcontext() as channel:
            asyncio.run(_serve(service, channel))
    return Exit.OK


async def _serve(service: Service, channel: socket.socket | None) -> None:
    async with pages(service.settings.lake.path, service.condition, channel):
        await service.run()
