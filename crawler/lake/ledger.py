"""Coverage, sweeps, findings, jobs and rejects as rows of the log. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from crawler.lake.schema import stored_schema
from crawler.model import Coverage, Finding, JobRun, Level, SweepRecord

_LEVEL_TAG = "00080052"


def naive_utc(moment: datetime) -> datetime:
    """Give a moment without its zone, in UTC; one without zone is taken for UTC."""
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


def coverage_rows(coverage: Sequence[Coverage]) -> pa.Table:
    """Turn coverage into stored rows, row_id left open."""
    return _rows("window", [_coverage_row(item) for item in coverage])


def _coverage_row(item: Coverage) -> dict[str, Any]:
    window = item.window
    return {
        "pacs": item.pacs,
        "level": item.level.value,
        "date_from": window.date_from,
        "date_to": window.date_to,
        "time_from": window.time_from,
        "time_to": window.time_to,
        "key": window.key,
        "state": item.state.value,
        "answer_rows": item.rows,
        "status": item.status,
        "cap": item.cap,
        "sweep_id": item.sweep_id,
        "asked_at": naive_utc(item.asked_at),
        "took_ms": item.took_ms,
        "queries": item.queries,
        "duplicates": item.duplicates,
        "rejects": item.rejects,
        "reason": item.reason,
        "undated": item.undated,
    }


_AS_IT_IS = ("sweep_id", "pacs", "date_from", "date_to")
_COUNTS = ("windows", "queries", "studies", "series", "instances", "inserted", "updated")


def sweep_rows(sweeps: Sequence[SweepRecord]) -> pa.Table:
    """Turn sweeps into stored rows, row_id left open."""
    return _rows("sweep", [_sweep_row(item) for item in sweeps])


def _sweep_row(item: SweepRecord) -> dict[str, Any]:
    return {
        **{name: getattr(item, name) for name in (*_AS_IT_IS, *_COUNTS)},
        "state": item.state.value,
        "levels": [level.value for level in item.levels],
        "started_at": naive_utc(item.started_at),
        "finished_at": naive_utc(item.finished_at) if item.finished_at else None,
    }


def finding_rows(findings: Sequence[Finding]) -> pa.Table:
    """Turn findings into stored rows, row_id left open."""
    return _rows("profile", [_finding_row(item) for item in findings])


def _finding_row(item: Finding) -> dict[str, Any]:
    return {
        **{name: getattr(item, name) for name in ("pacs", "name", "value", "evidence")},
        "level": item.level.value if item.level else None,
        "found_at": naive_utc(item.found_at),
    }


def job_rows(runs: Sequence[JobRun]) -> pa.Table:
    """Turn done jobs into stored rows, row_id left open."""
    return _rows("job", [_job_row(item) for item in runs])


def _job_row(item: JobRun) -> dict[str, Any]:
    return {
        **{name: getattr(item, name) for name in ("job", "kind", "reason")},
        "state": item.state.value,
        **{name: naive_utc(getattr(item, name)) for name in ("due_at", "started_at", "finished_at")},
    }


def reject_rows(
    answers: pa.Table, origin: tuple[str, Level, str], moment: datetime, why: str | None = None
) -> pa.Table:
    """Keep answers that can be no rows, row_id left open; `origin` is PACS, level and sweep.

    Without a reason they have no unique key: those of another level had theirs taken away, and say so in a fault.
    """
    pacs, level, sweep_id = origin
    known = {
        "pacs": pacs,
        "level": level.value,
        "sweep_id": sweep_id,
        "rejected_at": moment,
    }
    values = answers.drop_columns(["faults", "raw"]).to_pylist()
    reasons = [
        why or next((one["reason"] for one in faults or () if one["tag"] == _LEVEL_TAG), f"no {level.unique_key}")
        for faults in answers["faults"].to_pylist()
    ]
    told = zip(reasons, values, strict=True)
    rows = _rows("reject", [{**known, "reason": why, "answer": _as_text(answer)} for why, answer in told])
    for name in ("faults", "raw"):
        rows = rows.set_column(rows.schema.get_field_index(name), name, answers[name])
    return rows


def _as_text(answer: dict[str, Any]) -> str:
    given = {name: value for name, value in answer.items() if value is not None}
    return json.dumps(given, default=str, ensure_ascii=False)


def _rows(entity: str, rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=stored_schema(entity))
