"""What the lake proves of each PACS in the days and levels asked about: what coverage shows and backfill mends.

Touches: disk.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date

from crawler.lake.catalog import Ledger, ledgers
from crawler.model import Coverage, Level
from crawler.plan.calendar import Run, Verdict, asked_days, joined, runs_of, wanted_days, within
from crawler.plan.days import BEGINNING, END, Days, days_of
from crawler.settings import Settings
from jobs.levels import levels_of

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
    """None when the studies without a date are not in question, or nobody ever wanted them."""
    later: Days | None
    """Days up to today that were not over when they were asked for. They are not in question."""
    rows: list[Coverage] = field(repr=False)
    """Its whole ledger."""
    job: tuple[str, int] | None = None
    """The job that asks for its newest days by itself, and from which day on."""

    @property
    def gaps(self) -> list[Run]:
        """The days that are not proven; neighbours differ in state, level or reason."""
        return joined(run for run in self.runs if not run.verdict.proven)

    @property
    def telling(self) -> Days | None:
        """Leave out what has no beginning or no end, and what is complete and empty before and after all else."""
        telling = [run.days for run in self.runs if run.verdict.rows or not run.verdict.proven]
        bounded = [days for days in telling if days.first != BEGINNING and days.last != END]
        return Days(bounded[0].first, bounded[-1].last) if bounded else None

    @property
    def doubts(self) -> list[Verdict]:
        """Whatever is not proven, studies without a date included."""
        undated = [self.undated] if self.undated and not self.undated.proven else []
        return [*(run.verdict for run in self.gaps), *undated]


def proofs(settings: Settings, question: Question, today: date) -> list[Proof]:
    """Judge what the ledger holds of each PACS that is configured, or in it. UserError for a name that is neither."""
    known = ledgers(settings.lake.path)
    names = question.pacs or tuple(sorted({*settings.pacs, *known}))
    settings.require_pacs(name for name in names if name not in known)
    found = []
    for name in names:
        ledger = known.get(name, Ledger())
        asked = {row.level for row in ledger.rows}.union(*(sweep.levels for sweep in ledger.sweeps))
        pacs = settings.pacs.get(name)
        configured = levels_of(pacs.model, pacs.levels, None) if pacs else asked
        proof = _proof(name, _levels(configured, question.deepest), ledger, question, today)
        found.append(replace(proof, job=_job(settings, name, today)))
    return found


def _job(settings: Settings, name: str, today: date) -> tuple[str, int] | None:
    """Find the job that asks a PACS for the most days by itself."""
    sweeps = [
        (job.lookback_days, key)
        for key, job in settings.jobs.items()
        if job.kind == "sweep" and name in (job.pacs or settings.pacs)
    ]
    if not sweeps:
        return None
    lookback, key = max(sweeps)
    return key, today.toordinal() - lookback


def _levels(configured: Iterable[Level], deepest: Level | None) -> tuple[Level, ...]:
    """Give the levels in question; a worklist is one of its own."""
    known = set(configured)
    if Level.WORKLIST in known:
        return (Level.WORKLIST,)
    last = deepest or max(known.intersection(ORDER), key=ORDER.index, default=Level.STUDY)
    return ORDER[: ORDER.index(last) + 1]


def _proof(name: str, levels: tuple[Level, ...], ledger: Ledger, question: Question, today: date) -> Proof:
    runs = runs_of(ledger.rows, levels, today)
    asked, wanted = asked_days(runs, ledger.sweeps, today), wanted_days(runs, ledger.sweeps, today)
    days = _days_in_question(question, wanted if question.catching_up else asked or wanted, today)
    later = None
    if question.whole and days and wanted and days.last < wanted.last:
        later = Days(days.last + 1, wanted.last)
    everything = any(sweep.date_from is None and sweep.date_to is None for sweep in ledger.sweeps)
    undated = runs[0].verdict if question.whole and (everything or runs[0].verdict.asked) else None
    return Proof(name, levels, days, within(runs, days) if days else [], undated, later, ledger.rows)


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
