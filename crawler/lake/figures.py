"""What only monitoring asks of a lake: sums over its ledgers. `status.py` has the rest. Touches: disk."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime

from crawler.lake.catalog import open_catalog
from crawler.model import JobState, SweepState

_QUERIES = "SELECT pacs, level, sum(queries), sum(took_ms) / 1000 FROM windows GROUP BY ALL"
_REJECTS = "SELECT pacs, count(*) FROM rejects GROUP BY ALL"
_COMPLETED = "SELECT pacs, max(finished_at) FROM sweeps WHERE state = 'complete' GROUP BY ALL"
_LAST_JOBS = """SELECT job, state, finished_at FROM job_runs WHERE state <> 'waiting'
    QUALIFY row_number() OVER (PARTITION BY job ORDER BY run DESC) = 1"""
_LAST_SWEEPS = """SELECT pacs, state FROM sweeps
    QUALIFY row_number() OVER (PARTITION BY pacs ORDER BY started_at DESC) = 1"""
_RUNS = "SELECT state, count(*), max(finished_at) FROM job_runs WHERE state <> 'waiting' GROUP BY ALL"


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums since the lake was made. Moments are UTC."""

    queries: dict[tuple[str, str], int]
    """By PACS and level."""
    query_seconds: dict[tuple[str, str], float]
    rejects: dict[str, int]
    completed: dict[str, datetime]
    """When the last sweep ended that is complete, by PACS."""
    runs: dict[str, int]
    """Jobs that were done, by how they ended."""
    last_run: dict[str, datetime]


@dataclass(frozen=True, slots=True)
class Latest:
    """How jobs and sweeps ended that were done last. Moments are UTC."""

    jobs: dict[str, tuple[JobState, datetime]]
    """By job: its state, and when it ended."""
    sweeps: dict[str, SweepState]
    """By PACS."""


def latest_of(path: str | os.PathLike[str]) -> Latest:
    """Say how the last jobs and sweeps ended. NoLakeError where there is no lake."""
    with open_catalog(path) as connection:
        jobs = connection.execute(_LAST_JOBS).fetchall()
        sweeps = connection.execute(_LAST_SWEEPS).fetchall()
    return Latest(
        jobs={job: (JobState(state), ended.replace(tzinfo=UTC)) for job, state, ended in jobs},
        sweeps={pacs: SweepState(state) for pacs, state in sweeps},
    )


def figures_of(path: str | os.PathLike[str]) -> Figures:
    """Sum the ledgers up. NoLakeError where there is no lake."""
    with open_catalog(path) as connection:
        queries = connection.execute(_QUERIES).fetchall()
        rejects = connection.execute(_REJECTS).fetchall()
        completed = connection.execute(_COMPLETED).fetchall()
        runs = connection.execute(_RUNS).fetchall()
    return Figures(
        queries={(pacs, level): int(count) for pacs, level, count, _ in queries},
        query_seconds={(pacs, level): float(seconds) for pacs, level, _, seconds in queries},
        rejects=dict(rejects),
        completed={pacs: moment.replace(tzinfo=UTC) for pacs, moment in completed},
        runs={state: count for state, count, _ in runs},
        last_run={state: moment.replace(tzinfo=UTC) for state, _, moment in runs},
    )
