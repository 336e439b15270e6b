"""What it will cost to ask for days again, going by what the ledger says of others. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from crawler.model import Coverage, Level
from crawler.plan.days import BEGINNING, END, Days, days_of


@dataclass(frozen=True, slots=True)
class Cost:
    """Queries, the studies that they answer with, and the seconds that they take one after the other."""

    queries: float
    studies: float
    seconds: float

    def times(self, factor: float) -> Cost:
        """Give the cost of so much of the same."""
        return Cost(self.queries * factor, self.studies * factor, self.seconds * factor)

    def plus(self, other: Cost) -> Cost:
        """Give the cost of both."""
        return Cost(self.queries + other.queries, self.studies + other.studies, self.seconds + other.seconds)


def cost_of_a_day(rows: Iterable[Coverage], levels: Iterable[Level]) -> Cost | None:
    """Give what a day with studies has cost on average at these levels; None when none is known.

    Windows without a study are left out: an archive has many of them before its first study, and they cost nothing.
    """
    windows: dict[tuple[object, ...], list[Coverage]] = defaultdict(list)
    for row in rows:
        if row.level in levels and row.window.key is None and row.window.time_from is None:
            windows[row.window, row.sweep_id].append(row)
    days, queries, studies, took = 0, 0, 0, 0
    for asked in windows.values():
        span = days_of(asked[0].window.date_from, asked[0].window.date_to)
        found = sum(row.rows for row in asked if row.level in (Level.STUDY, Level.WORKLIST))
        if not found or span.first == BEGINNING or span.last == END:
            continue
        days += span.length
        studies += found
        queries += sum(row.queries for row in asked)
        took += max(row.took_ms for row in asked)  # the clock of a window runs from its first level to its last
    return Cost(queries / days, studies / days, took / days / 1000) if days else None


def cost_of(days: Days, a_day: Cost) -> Cost:
    """Give what a range of days will cost: one query at least; a range without an end as much as a day."""
    cost = a_day.times(1 if days.first == BEGINNING or days.last == END else days.length)
    return Cost(max(1.0, cost.queries), cost.studies, cost.seconds)


def queries_of_a_day(rows: Iterable[Coverage], levels: Sequence[Level]) -> dict[Level, float]:
    """Give the queries at each level that a day with studies has taken on average; the highest level comes first."""
    known, above, found = list(rows), 0.0, dict[Level, float]()
    for number, level in enumerate(levels, start=1):
        cost = cost_of_a_day(known, levels[:number])
        so_far = cost.queries if cost else 0.0
        found[level], above = max(so_far - above, 0.0), so_far
    return found
