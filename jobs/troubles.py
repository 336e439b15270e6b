"""Which troubles there are, by what ledger, disk and the service say of the moment. Touches: disk, clock."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from crawler.errors import LakeError, NoLakeError
from crawler.lake.figures import Latest, latest_of
from crawler.lake.job_runs import slots_done
from crawler.model import JobState, SweepState, Trouble
from crawler.plan.due import Schedule, overdue
from crawler.serve.alarms import Board, Finding, Look
from crawler.settings import Settings
from jobs.certificates import expiring
from jobs.permission import gate_of

OVERDUE = timedelta(hours=6)
LOW = 2_000_000_000
"""Bytes left on the disk. Both are those of the rules for Prometheus in config/alerts."""
FROM_LEDGER = (Trouble.JOB_FAILED, Trouble.SWEEP_PARTIAL, Trouble.OVERDUE)


@dataclass(frozen=True, slots=True)
class Known:
    """What the service alone knows."""

    settings: Settings
    schedules: list[Schedule]
    settings_valid: bool = True
    failed: Collection[str] = ()
    """Jobs that failed since it started, also those that could not write it down."""
    lake_lost: bool = False
    """Whether the lake was taken away since."""


def look_around(known: Known, board: Board) -> Look:
    """Look at everything; `board` has what was found before."""
    now = datetime.now(UTC)
    lake = known.settings.lake.path
    found = [*_of_the_moment(known)]
    try:
        latest, done = latest_of(lake), slots_done(lake)
    except NoLakeError:  # none yet: the first job makes it
        found += [Finding(Trouble.LAKE_TROUBLE, reason="gone")] if known.lake_lost else []
        return Look(now.timestamp(), found, FROM_LEDGER)
    except LakeError:
        return Look(now.timestamp(), [*found, Finding(Trouble.LAKE_TROUBLE, reason="unreadable")], FROM_LEDGER)
    late = overdue(known.schedules, done, now)
    found += [Finding(Trouble.OVERDUE, job=job) for job, length in late.items() if length > OVERDUE]
    found += _of_the_ledger(known, latest, board)
    return Look(now.timestamp(), found)


def _of_the_moment(known: Known) -> Iterator[Finding]:
    settings = known.settings
    if not known.settings_valid:
        yield Finding(Trouble.SETTINGS_INVALID)
    with suppress(OSError):  # no lake yet
        if shutil.disk_usage(settings.lake.path).free < LOW:
            yield Finding(Trouble.DISK_LOW)
    for setting, _ in expiring(settings):
        yield Finding(Trouble.CERTIFICATE_EXPIRES, setting=setting)
    for name in settings.pacs:
        if gate_of(settings, name).standing.is_open:
            yield Finding(Trouble.PACS_UNREACHABLE, pacs=name, reason="breaker")


def _of_the_ledger(known: Known, latest: Latest, board: Board) -> Iterator[Finding]:
    for job in known.settings.jobs:
        finding = Finding(Trouble.JOB_FAILED, job=job, state=JobState.FAILED)
        state, ended = latest.jobs.get(job, (None, None))
        since = board.since(finding)
        # One that crashed wrote nothing down: after a restart too it has failed until it is known to have ended better.
        unmended = since is not None and (ended is None or ended.timestamp() < since)
        if state is JobState.FAILED or job in known.failed or unmended:
            yield finding
    for pacs in known.settings.pacs:
        finding = Finding(Trouble.SWEEP_PARTIAL, pacs=pacs, state=SweepState.PARTIAL)
        last = latest.sweeps.get(pacs)
        undecided = last in (None, SweepState.RUNNING, SweepState.INTERRUPTED)
        if last is SweepState.PARTIAL or (undecided and board.since(finding) is not None):
            yield finding
