"""What the lake proves of each PACS in the days and levels asked about: what coverage shows and backfill mends.

Touches: disk.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from crawler.lake.catalog import ledger_of
from crawler.model import Coverage, Level
from crawler.plan.calendar import Run, Verdict, asked_days, joined, runs_of, wanted_days, within
from crawler.plan.days import Days, days_of
from crawler.settings import Settings

ORDER = (Level.STUDY, Level.SERIES, Level.IMAGE)


@dataclass(frozen=True, slots=True)
class Question:
    """Which PACS (none: all), which days (None: as far as was asked for), down to which level (None: as configured)."""

    pacs: tuple[str, ...] = ()
    date_from: date | None = None
    date_to: date | None = None
    deepest: Level | None = None
    catching_up: bool = False
    """Whether days are in question too that were asked for too early, where no end was typed."""

    @property
    def whole(self) -> bool:
        """Whether it is about everything, studies without a date too."""
        return self.date_from is None and self.date_to is None


@dataclass(frozen=True, slots=True)
class Proof:
    """What is proven of one PACS."""

    pacs: str
    levels: tuple[Level, ...]
    days: Days | None
    """The days in question; None when none was ever asked for."""
    runs: list[Run]
    """What is known of just these days, run after run."""
    undated: Verdict | None
    """None when the studies without a date are not in question, or were never asked for."""
    later: Days | None
    """Days up to today that were not over when they were asked for. They are not in question."""
    rows: list[Coverage] = field(repr=False)
    """Its whole ledger."""

    @property
    def gaps(self) -> list[Run]:
        """The days that are not proven; neighbours differ in state, level or reason."""
        return joined(run for run in self.runs if not run.verdict.proven)

    @property
    def doubts(self) -> list[Verdict]:
        """Whatever is not proven, studies without a date included."""
        undated = [self.undated] if self.undated and not self.undated.proven else []
        return [*(run.verdict for run in self.gaps), *undated]


def proofs(settings: Settings, question: Question, today: date) -> list[Proof]:
    """Judge what the ledger holds of each PACS that is configured, or in it. UserError for a name that is neither."""
    ledger = ledger_of(settings.lake.path)
    names = question.pacs or tuple(sorted({*settings.pacs, *ledger}))
    settings.require_pacs(name for name in names if name not in ledger)
    found = []
    for name in names:
        rows = ledger.get(name, [])
        configured = settings.pacs[name].levels if name in settings.pacs else {row.level for row in rows}
        deepest = question.deepest or max(configured, key=ORDER.index)
        found.append(_proof(name, ORDER[: ORDER.index(deepest) + 1], rows, question, today))
    return found


def _proof(name: str, levels: tuple[Level, ...], rows: list[Coverage], question: Question, today: date) -> Proof:
    runs = runs_of(rows, levels, today)
    asked, wanted = asked_days(runs, today), wanted_days(runs, today)
    known = wanted if question.catching_up else asked or wanted
    days = _days_in_question(question, known, today)
    later = None
    if question.whole and days and wanted and days.last < wanted.last:
        later = Days(days.last + 1, wanted.last)
    undated = runs[0].verdict if question.whole and runs[0].verdict.asked else None
    return Proof(name, levels, days, within(runs, days) if days else [], undated, later, rows)


def _days_in_question(question: Question, known: Days | None, today: date) -> Days | None:
    """Give the range that was typed; an end that was not is where the ledger's knowledge ends, or today."""
    if question.whole:
        return known
    first, last = question.date_from, question.date_to
    if last is None:
        end = max(known.last if known else today.toordinal(), days_of(first, None).first)
    else:
        end = last.toordinal()
    begin = first.toordinal() if first else min(known.first if known else end, end)
    return Days(begin, end)
