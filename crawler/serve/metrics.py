"""How lake and service are, as Prometheus reads it: base units, no label but pacs, level, state, reason, setting, kind.

Everything is read when it is asked for; nothing is counted here. Touches: disk.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from crawler.errors import LakeError
from crawler.lake.figures import figures_of
from crawler.lake.status import status_of

Values = Mapping[Any, float]
"""By the values of the labels, as a tuple."""

LEVELS = {"patients": "patient", "studies": "study", "series": "series", "instances": "image", "worklist": "worklist"}
"""The level of each table's rows."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What the settings and the moment say, which the lake does not know."""

    jobs: dict[str, int] = field(default_factory=dict)
    """Jobs by state: due, or waiting for their next time."""
    overdue_seconds: float = 0.0
    """For how long the job is due that is due the longest."""
    closed: dict[tuple[str, str], int] = field(default_factory=dict)
    """By PACS and reason: 1 where that keeps it from being asked, else 0."""
    pace: dict[str, float] = field(default_factory=dict)
    """By PACS: the share of its usual pace at which it is asked."""
    settings_valid: bool = True
    certificates: dict[str, float] = field(default_factory=dict)
    """By the setting that names them, or the section of the PACS that showed them: until when they are valid."""
    received: dict[tuple[str, str], float] = field(default_factory=dict)
    """By PACS and what is counted: the share of its quota that it has sent today."""


class LakeCollector(Collector):
    """Reads a lake, and is told the rest."""

    def __init__(self, lake: Path, condition: Callable[[], Condition]) -> None:
        self._lake = lake
        self._condition = condition

    def collect(self) -> Iterator[Metric]:
        """Read everything once."""
        try:
            of_lake = list(_of_lake(self._lake))
        except LakeError:
            of_lake = []
        yield _gauge("pacslake_lake_readable", "1 if the lake can be read.", (), {(): bool(of_lake)})
        yield from of_lake
        yield from _of_disk(self._lake)
        yield from _of_condition(self._condition())


def registry_of(lake: Path, condition: Callable[[], Condition]) -> CollectorRegistry:
    """Make what renders all metrics."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(LakeCollector(lake, condition))
    ProcessCollector(registry=registry)
    return registry


def _of_lake(lake: Path) -> Iterator[Metric]:
    status, sums = status_of(lake), figures_of(lake)
    rows = {(one.pacs, LEVELS[table]): count for one in status.pacs for table, count in one.rows.items()}
    windows = {(one.pacs, *key): count for one in status.pacs for key, count in one.windows.items()}
    sweeps = {one.pacs: one.last_sweep for one in status.pacs if one.last_sweep}
    yield _counter("pacslake_lake_commits", "Commits to the lake.", (), {(): status.version})
    yield _gauge("pacslake_rows", "Current rows.", ("pacs", "level"), rows)
    yield _gauge("pacslake_windows", "Windows asked for, by their newest state.", ("pacs", "level", "state"), windows)
    yield _counter("pacslake_queries", "Queries whose windows are settled.", ("pacs", "level"), sums.queries)
    seconds = "Seconds that these queries took."
    yield _counter("pacslake_query_seconds", seconds, ("pacs", "level"), sums.query_seconds)
    yield _counter("pacslake_rejects", "Answers that could be no rows.", ("pacs",), _keyed(sums.rejects))
    started = {(pacs,): last.started_at.timestamp() for pacs, last in sweeps.items()}
    yield _gauge("pacslake_sweep_started_timestamp_seconds", "When the last sweep began.", ("pacs",), started)
    completed = {(pacs,): moment.timestamp() for pacs, moment in sums.completed.items()}
    said = "When the last sweep ended that is complete."
    yield _gauge("pacslake_sweep_completed_timestamp_seconds", said, ("pacs",), completed)
    states = {(pacs, last.state): 1 for pacs, last in sweeps.items()}
    yield _gauge("pacslake_sweep_state", "The state of the last sweep.", ("pacs", "state"), states)
    yield _counter("pacslake_job_runs", "Jobs done, by how they ended.", ("state",), _keyed(sums.runs))
    ended = {(state,): moment.timestamp() for state, moment in sums.last_run.items()}
    yield _gauge("pacslake_job_finished_timestamp_seconds", "When a job last ended like this.", ("state",), ended)


def _of_disk(lake: Path) -> Iterator[Metric]:
    if not lake.is_dir():
        return
    size = sum(file.stat().st_size for file in (lake / "log").glob("entity=*/*.parquet"))
    yield _gauge("pacslake_lake_size_bytes", "Size of the lake's data files.", (), {(): size})
    free = shutil.disk_usage(lake).free
    yield _gauge("pacslake_lake_free_bytes", "Free space where the lake is.", (), {(): free})


def _of_condition(now: Condition) -> Iterator[Metric]:
    yield _gauge("pacslake_jobs", "Jobs of the settings, by state.", ("state",), _keyed(now.jobs))
    overdue = {(): now.overdue_seconds}
    yield _gauge("pacslake_job_overdue_seconds", "For how long the longest due job is due.", (), overdue)
    closed = "1 where a PACS is not asked now, by reason."
    yield _gauge("pacslake_pacs_closed", closed, ("pacs", "reason"), now.closed)
    yield _gauge(
        "pacslake_pace_ratio", "Share of its usual pace at which a PACS is asked.", ("pacs",), _keyed(now.pace)
    )
    said = "When a certificate expires, by the setting that names it or the PACS that showed it."
    yield _gauge("pacslake_certificate_expiry_timestamp_seconds", said, ("setting",), _keyed(now.certificates))
    said = "Share of what a PACS may send in a day, UTC, that has come: objects, or bytes."
    yield _gauge("pacslake_quota_used_ratio", said, ("pacs", "kind"), now.received)
    valid = {(): now.settings_valid}
    yield _gauge("pacslake_settings_valid", "0 if the settings were wrong when last read.", (), valid)


def _keyed(values: Mapping[str, float]) -> dict[tuple[str, ...], float]:
    return {(key,): value for key, value in values.items()}


def _gauge(name: str, said: str, labels: tuple[str, ...], values: Values) -> Metric:
    family = GaugeMetricFamily(name, said, labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(key, value)
    return family


def _counter(name: str, said: str, labels: tuple[str, ...], values: Values) -> Metric:
    family = CounterMetricFamily(name, said, labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(key, value)
    return family
