"""Rows that no PACS should send, from one that heeds what it is asked. Touches: network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from crawler.testing.matching import time_bounds
from tests.acceptance.sweeping import ask, configure
from tests.faults.misbehaving import asks_for_the_day, read, study
from tests.faults.peers import Line, Play, scripted
from tests.faults.swept import Sweep

DAY = date(2024, 2, 26)
_HOUR = 3_600_000_000


@dataclass(frozen=True)
class Row:
    """A study of the day, of the planted patient unless more is said of it."""

    hour: int
    identifier: bytes


def row(hour: int, **values: str | bytes) -> Row:
    """Give a study of an hour of the day; its UID ends with the hour."""
    return Row(hour, study(hour, **values))


def heeding(rows: Sequence[Row]) -> Play:
    """Give the script of a PACS that has these rows alone, and obeys StudyDate and StudyTime."""

    def play(line: Line) -> None:
        line.accept()
        while True:
            request = line.question()
            keys = read(request)
            wanted, is_day = _within(keys.get("StudyTime", "")), asks_for_the_day(keys)
            line.rows(request, [one.identifier for one in rows if is_day and wanted(one.hour)])
            line.final(request)

    return play


def _within(times: str) -> Callable[[int], bool]:
    if not times:
        return lambda hour: True
    bounds = time_bounds(times)
    return lambda hour: (bounds.low or 0) <= hour * _HOUR <= (24 * _HOUR if bounds.high is None else bounds.high)


def swept(sweep: Sweep, folder: Path, rows: Sequence[Row], **settings: object) -> int:
    """Sweep the day of a PACS that has these rows; give the exit code."""
    with scripted(heeding(rows)) as pacs:
        configure(folder, {"main": pacs.port}, **({"levels": '["study"]'} | settings))
        return sweep(folder, DAY, DAY)


def found(folder: Path, column: str) -> dict[str, tuple[Any, list[str], list[bytes]]]:
    """Give of each study that is there a column, and the reasons and bytes kept for it."""
    rows = ask(folder, f"select StudyInstanceUID, {column}, faults, raw from studies")
    return {
        uid: (value, [one["reason"] for one in faults], [one["value"] for one in raw])
        for uid, value, faults, raw in rows
    }
