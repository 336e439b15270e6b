"""What APScheduler does here, and all it does: read cron lines, and wake the service at a moment.

It keeps nothing: what is due is read from the ledger (`crawler/plan/due.py`), never concluded from having been woken.
Touches: clock, the machine's name.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger

from crawler.errors import UserError
from crawler.plan.cron import translated
from crawler.plan.due import EPOCH, Schedule, Times, every, on_wall_clock, spread
from crawler.settings import JobSettings, Settings
from jobs.units import base_of

_NEXT = "next"


def schedules_of(settings: Settings) -> list[Schedule]:
    """Give the schedules of all jobs as this machine keeps them. UserError where one means nothing."""
    return schedules(settings.jobs, ZoneInfo(settings.local.time_zone), socket.gethostname())


def schedules(jobs: Mapping[str, JobSettings], zone: ZoneInfo, machine: str) -> list[Schedule]:
    """Give the schedule of each job. UserError where a cron line means nothing."""
    return [
        # A job is put off by as much at each of its PACS, which are done at once.
        Schedule(name, _times(name, job, zone), spread(job.jitter, machine, base_of(name, job)))
        for name, job in jobs.items()
    ]


def _times(name: str, job: JobSettings, zone: ZoneInfo) -> Times:
    if job.interval is not None:
        return every(job.interval)
    try:
        times = on_wall_clock(_wall_times(str(job.cron)), zone)
    except ValueError as error:
        raise UserError(f"jobs.{name}.cron {error}, in {job.cron!r}") from None
    if times(EPOCH) is None:
        raise UserError(f"jobs.{name}.cron names a day that never comes: {job.cron!r}")
    return times


def _wall_times(cron: str) -> Times:
    """Give the wall-clock times of a cron line: as if in UTC, which has no clock changes."""
    fields = translated(cron)
    try:
        trigger = CronTrigger.from_crontab(fields, timezone=UTC)
    except ValueError as error:
        raise ValueError(f"is no cron line: {str(error)[:1].lower()}{str(error)[1:]}") from None

    def next_after(wall: datetime) -> datetime | None:
        found = trigger.get_next_fire_time(None, wall.replace(tzinfo=UTC) + timedelta(microseconds=1))
        return None if found is None else found.replace(tzinfo=None)

    return next_after


class Ticker:
    """Wakes whoever looks at the ledger, at one moment at a time."""

    def __init__(self, wake: Callable[[], Awaitable[None]]) -> None:
        self._wake = wake
        defaults = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        self._scheduler = AsyncIOScheduler(timezone=UTC, job_defaults=defaults)

    def start(self) -> None:
        """Begin, in the running event loop."""
        self._scheduler.start()

    def stop(self) -> None:
        """Wake nobody any more."""
        self._scheduler.shutdown(wait=False)

    def at(self, moment: datetime) -> None:
        """Wake at this moment, and not at the one that was named before."""
        self._scheduler.add_job(self._wake, DateTrigger(moment, UTC), id=_NEXT, replace_existing=True)
