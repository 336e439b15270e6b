"""Small decoded answers, made for lake tests."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

from crawler import columns
from crawler.model import Coverage, Level, SweepRecord, SweepState, Window, WindowState

ASKED = datetime(2024, 5, 1, 12, 0, 0, 250, tzinfo=UTC)


def answers(level: Level, rows: Iterable[dict[str, Any]]) -> pa.Table:
    """Make a decoded table; what a row does not name is null."""
    return pa.Table.from_pylist(list(rows), schema=columns.schema(level))


def studies(described: Iterable[tuple[str | None, str]]) -> pa.Table:
    """Make STUDY answers of a UID and a description each."""
    return answers(Level.STUDY, [{"StudyInstanceUID": uid, "StudyDescription": text} for uid, text in described])


def covered(rows: int, sweep_id: str = "s1", day: date = date(2024, 1, 1)) -> Coverage:
    """Say that a day was asked for and proven complete."""
    state = WindowState.COMPLETE
    return Coverage("main", Level.STUDY, Window(day, day), state, rows, sweep_id, ASKED, 12, status=0)


def sweep(sweep_id: str = "s1", state: SweepState = SweepState.RUNNING) -> SweepRecord:
    """Make the record of a sweep over everything."""
    return SweepRecord(sweep_id, "main", (Level.STUDY, Level.SERIES), None, None, state, ASKED)
