"""What is no longer proven when data files are lost, as rows of the ledger. Pure.

Rows are published with their window's ledger row or before it, and an answer that changes nothing is not written again.
So a lost file puts every window in doubt that was asked for before the file was written and settled after it began, and
all later answers about the same days rest on it too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime

from crawler.model import UNDATED, Coverage, Level, Window, WindowState

REPAIRED = "rows were lost with a broken file"
SWEEP = "repair"
"""What stands for the sweep in such rows."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What is known of a lost file, from the commit that named it."""

    path: str
    level: Level | None
    """None for a file of the ledger itself: then every level is in doubt."""
    pacs: tuple[str, str] | None
    days: tuple[date, date] | None
    """First and last StudyDate of its rows; None where they have none."""
    first_row_id: int
    written_at: datetime
    """Naive UTC."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One row of the ledger that is left."""

    row_id: int
    pacs: str
    level: Level
    window: Window
    asked_at: datetime
    """Naive UTC."""
    sweep_began_at: datetime


def in_doubt(losses: Iterable[Loss], ledger: Iterable[Asked], now: datetime) -> list[Coverage]:
    """Give a ledger row for each range of days that is no longer proven."""
    rows = list(ledger)
    spans: defaultdict[tuple[str, Level], list[tuple[date, date]]] = defaultdict(list)
    undated: set[tuple[str, Level]] = set()
    for loss in losses:
        for row in rows:
            if not _rests_on(row, loss):
                continue
            if row.window.undated:
                undated.add((row.pacs, row.level))
            elif span := _cut(row.window, loss):
                spans[row.pacs, row.level].append(span)
    windows = [(place, Window(_open(first, date.min), _open(last, date.max)))
               for place in sorted(spans) for first, last in _joined(spans[place])]  # fmt: skip
    windows += [(place, UNDATED) for place in sorted(undated)]
    state = WindowState.INTERRUPTED
    return [Coverage(*place, window, state, 0, SWEEP, now, 0, queries=0, reason=REPAIRED) for place, window in windows]


def _rests_on(row: Asked, loss: Loss) -> bool:
    if loss.pacs and not loss.pacs[0] <= row.pacs <= loss.pacs[1]:
        return False
    if loss.level is None:
        return True
    # A window asked for again in parts has no row of its own; its rows may have come before these parts were asked.
    split = loss.level in (Level.STUDY, Level.WORKLIST)
    moment = min(row.asked_at, row.sweep_began_at) if split else row.asked_at
    return row.level is loss.level and row.row_id > loss.first_row_id and moment <= loss.written_at


def _cut(window: Window, loss: Loss) -> tuple[date, date] | None:
    """Give the days of a window that rows of the file can be of."""
    first, last = window.date_from or date.min, window.date_to or date.max
    if loss.days:
        first, last = max(first, loss.days[0]), min(last, loss.days[1])
    return (first, last) if first <= last else None


def _joined(spans: list[tuple[date, date]]) -> Iterator[tuple[date, date]]:
    """Join spans that meet or overlap."""
    begun: tuple[date, date] | None = None
    for first, last in sorted(spans):
        if begun and (begun[1] == date.max or first.toordinal() <= begun[1].toordinal() + 1):
            begun = (begun[0], max(begun[1], last))
        else:
            if begun:
                yield begun
            begun = (first, last)
    if begun:
        yield begun


def _open(day: date, end: date) -> date | None:
    return None if day == end else day
