"""Which slots of their schedules the jobs of the service were done for. Touches: disk."""

from __future__ import annotations

import os
from collections import defaultdict
from datetime import UTC, datetime

from crawler.lake.catalog import open_catalog
from crawler.model import JobState

_SINCE = "SELECT job, state FROM job_runs WHERE started_at >= ? AND state <> 'waiting' ORDER BY run"
MOST = 1000
"""So many runs of each job are looked at: the newest, and enough before it should a clock have been wrong."""


def slots_done(path: str | os.PathLike[str]) -> dict[str, list[datetime]]:
    """Give the slots of each job that the ledger knows, in the order of doing. NoLakeError where there is no lake."""
    settling = ", ".join(f"'{state}'" for state in JobState if state.settles)
    query = f"""SELECT job, due_at FROM job_runs WHERE state IN ({settling})
        QUALIFY row_number() OVER (PARTITION BY job ORDER BY run DESC) <= {MOST} ORDER BY run"""
    found: defaultdict[str, list[datetime]] = defaultdict(list)
    with open_catalog(path) as connection:
        for job, due_at in connection.execute(query).fetchall():
            found[job].append(due_at.replace(tzinfo=UTC))
    return dict(found)


def states_since(path: str | os.PathLike[str], moment: datetime) -> dict[str, JobState]:
    """Say how the jobs ended that began since a moment. NoLakeError where there is no lake."""
    with open_catalog(path) as connection:
        found = connection.execute(_SINCE, [moment.astimezone(UTC).replace(tzinfo=None)]).fetchall()
    return {job: JobState(state) for job, state in found}
