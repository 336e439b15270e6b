"""What a lake knew of one PACS when a sweep began: what it may leave out, and what it must miss. Touches: disk.

One snapshot for the whole sweep, so that what the sweep itself finds never passes for what was there before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

import pyarrow as pa

from crawler.columns import AS_OF_STUDIES
from crawler.lake.query import Lake
from crawler.lake.resume import by_column, coverage_of
from crawler.model import Coverage, Level, Window

FEW = 400
"""So many studies of a day are few enough to come along with a question about others."""

LARGEST = 2**31
"""More studies than any day has."""

GATHERED = 50_000
"""So many studies of a sweep's days are kept at hand, some 10 MB: reading them all takes a scan, and one for
each window would cost a sweep the square of what there is."""

STILL_THERE = 0.9
"""Studies of which no answer was asked for in weeks: so many of them at least should not have been deleted since."""


_REMEMBERED = """SELECT pacs, StudyInstanceUID, changed_at, NumberOfStudyRelatedInstances IS NOT NULL AS counted,
    StudyDate, StudyTime FROM studies"""


@dataclass(frozen=True, slots=True)
class Remembered:
    """A study, series or instance as it stands in the lake. `keys` are its unique keys from STUDY level down."""

    keys: tuple[str, ...]
    changed_at: datetime
    counted: bool
    """Whether the PACS says how many instances it has, so that growth shows."""
    day: date | None = None
    clock: time | None = None
    """Date and time of a study."""


class Memory:
    """Of an open lake, which it closes. For one thread.

    `first_new` is the row_id from which on rows are of this sweep, which is about these days.
    """

    def __init__(self, lake: Lake, pacs: str, first_new: int, days: tuple[date | None, date | None]) -> None:
        self.first_new = first_new
        self._pacs = pacs
        self._lake = lake
        self.is_empty = not self._ask("SELECT 1 FROM studies WHERE pacs = $pacs LIMIT 1")
        self._gathered: Window | None = None
        self._a_day: dict[date, int] | None = None
        if days[0] is not None and not self.is_empty:
            self._gather(Window(*days))

    def close(self) -> None:
        """Let the lake go."""
        self._lake.close()

    def ledger(self) -> list[Coverage]:
        """Give the newest ledger row of each window below STUDY level."""
        query = """SELECT * FROM windows WHERE pacs = $pacs AND level <> 'study'
            QUALIFY row_number() OVER (PARTITION BY level, date_from, date_to, time_from, time_to, "key"
                ORDER BY asked_at DESC) = 1"""
        return [coverage_of(row) for row in by_column(self._lake.connection.execute(query, {"pacs": self._pacs}))]

    def studies(self, window: Window) -> dict[str, Remembered]:
        """Give the studies of a window by StudyInstanceUID, whatever further key it has."""
        if window.date_from is not None and not self._at_hand(window):
            self._gather(Window(self._reaching_back(window.date_from, window.date_to), window.date_to))
        condition, given = _within(window, "StudyDate", "StudyTime")
        gathered = self._at_hand(window)
        source = "gathered WHERE" if gathered else f"({_REMEMBERED}) WHERE pacs = $pacs AND"
        found = self._lake.connection.execute(
            f"SELECT * EXCLUDE (pacs) FROM {source} {condition}", given if gathered else {"pacs": self._pacs, **given}
        )
        rows = found.fetchall()
        return {uid: Remembered((uid,), _aware(changed), *more) for uid, changed, *more in rows}

    def _at_hand(self, window: Window) -> bool:
        return self._gathered is not None and _holds(self._gathered, window)

    def _reaching_back(self, first: date, last: date | None) -> date:
        """Give a day before these, up to which as many studies lie as are kept at hand: a sweep comes to them next."""
        if self._a_day is None:
            query = "SELECT StudyDate, count(*) FROM studies WHERE pacs = $pacs AND StudyDate IS NOT NULL GROUP BY ALL"
            self._a_day = dict(sorted(self._ask(query), reverse=True))
        studies = 0
        for day, count in self._a_day.items():
            if last is None or day <= last:
                studies += count
                if studies > GATHERED:
                    break
                first = min(first, day)
        return first

    def _gather(self, window: Window) -> None:
        """Keep the studies of a window at hand, unless they are many."""
        condition, given = _within(window, "StudyDate", "StudyTime")
        query = f"{_REMEMBERED} WHERE pacs = $pacs AND {condition} LIMIT {GATHERED + 1}"
        found: pa.Table = self._lake.connection.sql(query, params={"pacs": self._pacs, **given}).to_arrow_table()
        if found.num_rows <= GATHERED:
            self._lake.connection.register("gathered", found)
            self._gathered = window

    def scheduled(self, window: Window) -> set[str]:
        """Give the keys of the worklist's items in a window."""
        condition, given = _within(window, AS_OF_STUDIES["StudyDate"], AS_OF_STUDIES["StudyTime"])
        found = self._ask(
            f"SELECT {Level.WORKLIST.unique_key} FROM worklist WHERE pacs = $pacs AND {condition}", **given
        )
        return {key for (key,) in found}

    def below(self, level: Level, studies: Sequence[str]) -> dict[str, Remembered]:
        """Give the series or instances of some studies, by their own UID."""
        if level is Level.SERIES:
            found = "SeriesInstanceUID, changed_at, NumberOfSeriesRelatedInstances IS NOT NULL, StudyInstanceUID"
            table = "series"
        else:
            found = "SOPInstanceUID, changed_at, true, StudyInstanceUID, SeriesInstanceUID"
            table = "instances"
        rows = self._ask(
            f"SELECT {found} FROM {table} WHERE pacs = $pacs AND StudyInstanceUID IN (SELECT unnest($studies))",
            studies=list(studies),
        )
        return {uid: Remembered((*above, uid), _aware(changed), counted) for uid, changed, counted, *above in rows}

    def witnesses(self, window: Window, count: int = 3) -> list[str]:
        """Give some studies that lie outside a window, the newest."""
        return [
            uid
            for (uid,) in self._ask(
                """SELECT StudyInstanceUID FROM studies WHERE pacs = $pacs AND StudyDate IS NOT NULL
            AND (StudyDate < $first OR StudyDate > $last) ORDER BY StudyDate DESC LIMIT $count""",
                first=window.date_from or date.min,
                last=window.date_to or date.max,
                count=count,
            )
        ]

    def dated(self) -> int:
        """Give how many studies with a date an answer for all studies should have at least."""
        [(count,)] = self._ask("SELECT count(*) FROM studies WHERE pacs = $pacs AND StudyDate IS NOT NULL")
        return -int(-count * STILL_THERE // 1)

    def neighbours(self, first: date | None, last: date | None) -> tuple[Window, ...]:
        """Give the nearest day with studies before a range of days and behind it: with few if there is one.

        Asked for together with empty days of the range they show that the PACS answers such questions.
        """
        query = """SELECT StudyDate FROM (
                SELECT StudyDate, count(*) AS n FROM studies
                WHERE pacs = $pacs AND StudyDate BETWEEN $low AND $high GROUP BY StudyDate)
            ORDER BY n > $few, abs(StudyDate - $edge) LIMIT 1"""
        found = []
        for edge, side in ((first, -1), (last, 1)):
            if edge is not None:
                low, high = sorted((_shifted(edge, side), _shifted(edge, side * 30)))
                beyond = date.max if side > 0 else date.min
                near = self._ask(query, low=low, high=high, edge=edge, few=FEW)
                low, high = sorted((_shifted(edge, side), beyond))
                found += near or self._ask(query, low=low, high=high, edge=edge, few=LARGEST)
        return tuple(Window(day, day) for (day,) in found)

    def _ask(self, query: str, **given: Any) -> list[tuple[Any, ...]]:
        return self._lake.connection.execute(query, {"pacs": self._pacs, **given}).fetchall()


def _holds(whole: Window, part: Window) -> bool:
    """Say whether the days of a part lie in a window whose first day is known."""
    if part.date_from is None or part.date_from < (whole.date_from or date.min):
        return False
    return whole.date_to is None or (part.date_to is not None and part.date_to <= whole.date_to)


def _within(window: Window, day: str, clock: str) -> tuple[str, dict[str, Any]]:
    """Give the SQL that says whether a row lies in a window, by its columns of day and time, and its parameters."""
    if window.undated:
        return f"{day} IS NULL", {}
    condition = f"{day} BETWEEN $first AND $last"
    given: dict[str, Any] = {"first": window.date_from or date.min, "last": window.date_to or date.max}
    if window.time_from or window.time_to:
        condition += f" AND {clock} BETWEEN $low AND $high"
        # Its last second counts to a window's end.
        last = _clock(window.time_to or "235959").replace(microsecond=999_999)
        given |= {"low": _clock(window.time_from or "000000"), "high": last}
    return condition, given


def _clock(text: str) -> time:
    return time(int(text[:2]), int(text[2:4]), int(text[4:6]))


def _shifted(day: date, days: int) -> date:
    return date.fromordinal(min(max(day.toordinal() + days, date.min.toordinal()), date.max.toordinal()))


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)
