"""What only monitoring asks of a lake: sums over its ledgers. `status.py` has the rest. Touches: disk."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime

from crawler.lake.catalog import open_catalog

_QUERIES = "SELECT pacs, level, sum(queries), sum(took_ms) / 1000 FROM windows GROUP BY ALL"
_REJECTS = "SELECT pacs, count(*) FROM rejects GROUP BY ALL"
_COMPLETED = "SELECT pacs, max(finished_at) FROM sweeps WHERE state = 'complete' GROUP BY ALL"
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
