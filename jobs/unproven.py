"""What the ledger does not prove about the days of a cohort: where studies may be missing. Touches: disk, clock."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from crawler.model import Level
from crawler.plan.days import BEGINNING, END, Days, days_of
from crawler.settings import Settings
from crawler.words import many
from jobs.backfill import gaps_of
from jobs.explain import mending
from jobs.proof import Proof, Question, proofs

StudiesOfDay = tuple[str, date | None, int]
"""A PACS, a StudyDate, and how many studies of the cohort."""


@dataclass(frozen=True, slots=True)
class Unproven:
    """What is not proven of one PACS."""

    pacs: str
    days: int
    """How many, from the first to the last day of the cohort; 0 where studies without a date alone are not."""
    studies: int
    """How many studies of the cohort have such a day, or none."""
    command: str
    """What asks for them."""


def unproven(settings: Settings, studies: Sequence[StudiesOfDay], pacs: str | None) -> list[Unproven]:
    """Judge the days from the first to the last of a cohort at every PACS that it could be from, down to series."""
    dated = [day for _, day, _ in studies if day is not None]
    names = (pacs,) if pacs else ()
    question = Question(names, min(dated, default=None), max(dated, default=None), Level.SERIES)
    today = date.today()
    undated = {name for name, day, _ in studies if day is None}
    if undated:
        whole = proofs(settings, Question(names, deepest=Level.SERIES), today)
        undated -= {proof.pacs for proof in whole if proof.undated and proof.undated.proven}
    found: list[Unproven] = []
    for proof in proofs(settings, question, today):
        if proof.levels == (Level.WORKLIST,):
            continue
        mine = [(day, count) for name, day, count in studies if name == proof.pacs]
        found += _judged(proof, question, mine, undated_open=proof.pacs in undated)
    return found


def _judged(
    proof: Proof, question: Question, studies: list[tuple[date | None, int]], *, undated_open: bool
) -> Iterator[Unproven]:
    gaps = gaps_of(proof)
    if proof.days is None:
        yield Unproven(proof.pacs, 1, 0, f"pacslake sweep {proof.pacs}")
    elif gaps or undated_open:
        affected = sum(count for day, count in studies if (undated_open if day is None else _within(day, gaps)))
        days = days_of(question.date_from, question.date_to)
        command = f"pacslake sweep {proof.pacs}" if undated_open else mending(proof.pacs, days, question)
        yield Unproven(proof.pacs, sum(map(_length, gaps)), affected, command)


def _within(day: date, gaps: list[Days]) -> bool:
    place = bisect_right(gaps, day.toordinal(), key=lambda gap: gap.first) - 1
    return place >= 0 and day.toordinal() <= gaps[place].last


def _length(days: Days) -> int:
    return 1 if BEGINNING in days or END in days else days.length


def unproven_values(found: Iterable[Unproven]) -> list[dict[str, Any]]:
    """Give it as what JSON can hold."""
    return [asdict(one) for one in found]


def unproven_lines(found: Sequence[Unproven]) -> Iterator[str]:
    """Say it to a person, with what to type."""
    if not found:
        yield "All days of the cohort are proven complete."
        return
    yield "Not proven complete, so that studies may be missing; this asks again, and then freeze the cohort anew:"
    for one in found:
        what = many(one.days, "day") if one.days else "studies without a date"
        yield f"  {one.pacs}: {what}, {many(one.studies, 'study')} of the cohort among them"
        yield f"      {one.command}"
