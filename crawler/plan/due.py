"""What is due of the scheduled jobs, going by what was done and not by which moments a service was awake at. Pure.

A schedule is a row of **slots**, moments in UTC. A job that was last done for one slot is due when a later one has
come; of several that have passed, a week of them say, the newest stands for all. Nothing here knows what time it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
AHEAD = timedelta(days=1)
"""A job done for a slot further in the future than this was done by a clock that was wrong."""
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (5, 15, 45))
"""How long a job that did not get through is left alone: then it waits for its next slot."""

Times = Callable[[datetime], datetime | None]
"""Gives the first slot after a moment, None when none comes any more."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a job is to be done; each slot is put off by `delay`."""

    job: str
    next_after: Times
    delay: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Due:
    """A job, and the slot that it is due for."""

    job: str
    slot: datetime


def every(interval: timedelta) -> Times:
    """Give slots at whole intervals, counted from the beginning of 1970 in UTC, so that nothing need be remembered."""

    def next_after(moment: datetime) -> datetime:
        return EPOCH + ((moment - EPOCH) // interval + 1) * interval

    return next_after


def on_wall_clock(next_wall: Times, zone: ZoneInfo) -> Times:
    """Give the slots of a schedule of wall-clock times, which `next_wall` tells without their zone.

    Each wall-clock time is one slot. One that a clock change leaves out is that much later, one that it repeats is the
    first of the two.
    """

    def next_after(moment: datetime) -> datetime | None:
        wall = moment.astimezone(zone).replace(tzinfo=None, fold=0)
        while (following := next_wall(wall)) is not None:
            wall = following
            slot = wall.replace(tzinfo=zone).astimezone(UTC)
            if slot > moment:  # while an hour is repeated, its times have been
                return slot
        return None

    return next_after


def spread(jitter: timedelta, *names: str) -> timedelta:
    """Choose a part of `jitter` by names, the machine's and the job's say: always the same, so that nothing slips."""
    digest = hashlib.sha256("\0".join(names).encode()).digest()
    return jitter * (int.from_bytes(digest[:6], "big") / 2**48)


def last_done(slots: Sequence[datetime], now: datetime) -> datetime | None:
    """Say for which slot a job was last done, given all of them in the order of doing.

    The order and not the greatest counts, and none far ahead: a clock that once stood in 2036 must not silence a job.
    """
    return next((slot for slot in reversed(slots) if slot <= now + AHEAD), None)


def newest_slot(next_after: Times, since: datetime, now: datetime) -> datetime | None:
    """Give the newest slot after `since` that has come, None without one."""
    span = timedelta(minutes=1)
    while True:  # looked for backwards, so that a year of quarters of an hour costs no more than a day
        begin = max(now - span, since)
        slot = next_after(begin)
        if slot is not None and slot <= now:
            break
        if begin == since:
            return None
        span *= 2
    while (later := next_after(slot)) is not None and later <= now:
        slot = later
    return slot


def due(schedules: Iterable[Schedule], done: Mapping[str, Sequence[datetime]], now: datetime) -> list[Due]:
    """Give the jobs that are due, the longest due first. A job that the ledger does not know is left out."""
    found = []
    for schedule in schedules:
        since = last_done(done.get(schedule.job, ()), now)
        slot = None if since is None else newest_slot(schedule.next_after, since, now - schedule.delay)
        if slot is not None:
            found.append(Due(schedule.job, slot))
    return sorted(found, key=lambda one: one.slot)


def overdue(
    schedules: Iterable[Schedule], done: Mapping[str, Sequence[datetime]], now: datetime
) -> dict[str, timedelta]:
    """Give for how long each job that is due has been: since the first slot that it missed, not since the newest."""
    found = {}
    for schedule in schedules:
        since = last_done(done.get(schedule.job, ()), now)
        missed = None if since is None else schedule.next_after(since)
        if missed is not None and missed + schedule.delay <= now:
            found[schedule.job] = now - missed - schedule.delay
    return found


def upcoming(schedules: Iterable[Schedule], done: Mapping[str, Sequence[datetime]], now: datetime) -> datetime | None:
    """Give the moment at which the next job will be due, of those that are not."""
    moments = []
    for schedule in schedules:
        since = last_done(done.get(schedule.job, ()), now)
        if since is not None:
            slot = schedule.next_after(max(since, now - schedule.delay))
            moments += [slot + schedule.delay] if slot else []
    return min(moments, default=None)
