"""What is proven of a PACS, and what mends the rest, as lines for a person. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import click

from crawler.plan.calendar import Run, Verdict, within
from crawler.plan.days import BEGINNING, END, Days, days_of
from jobs.months import draw, legend, mark, name_of
from jobs.proof import Proof, Question
from jobs.table import visible

MOST_GAPS = 15
"""A person is shown so many; the formats for scripts have all of them."""


def as_lines(proof: Proof, question: Question, width: int) -> Iterator[str]:
    """Give what is known of one PACS in lines of at most `width` cells, commands excepted."""
    levels = " and ".join(level.value for level in proof.levels)
    name = click.style(visible(proof.pacs), bold=True)
    if proof.days is None:
        yield f"{name}  {levels}, never asked"
        yield f"      pacslake sweep {proof.pacs}"
        return
    yield f"{name}  {levels}, {words(proof.days)}"
    yield ""
    yield from _calendar(proof, proof.days, width)
    yield ""
    yield from _gaps(proof, question, width)
    if proof.later:
        yield click.style(f"Asked for too early, or not since ({words(proof.later)}):", bold=True)
        yield f"      pacslake backfill {proof.pacs}"
        yield from _by_itself(proof, proof.later)


def _by_itself(proof: Proof, days: Days) -> Iterator[str]:
    """Say which job asks for these days again; of others than the newest none does."""
    if proof.job and days.first >= proof.job[1]:
        yield f"      or the job {visible(proof.job[0])} does, at its next turn"


def words(days: Days) -> str:
    """Name a range of days."""
    if days.first == BEGINNING:
        return "all days" if days.last == END else f"until {iso(days.last)}"
    if days.last == END:
        return f"from {iso(days.first)} on"
    return f"{iso(days.first)} to {iso(days.last)}" if days.length > 1 else f"{iso(days.first)}"


def iso(day: int) -> str | None:
    """Write a day as 2024-01-31, None for an open end."""
    return None if day in (BEGINNING, END) else date.fromordinal(day).isoformat()


def mending(pacs: str, days: Days, question: Question) -> str:
    """Give the command that asks for these days again."""
    command = f"pacslake backfill {pacs}"
    if days.first != BEGINNING:
        command += f" --from {iso(days.first)}"
    if days.last != END:
        command += f" --to {iso(days.last)}"
    return f"{command} --level {question.deepest.value}" if question.deepest else command


def _calendar(proof: Proof, days: Days, width: int) -> Iterator[str]:
    shown = proof.telling
    if shown:
        yield from draw(proof.runs, shown, width)
    if proof.undated:
        yield f"undated  {mark(proof.undated.state)}"
    yield ""
    yield legend([*(run.verdict.state for run in proof.runs), *([proof.undated.state] if proof.undated else [])])
    around = [Days(days.first, shown.first - 1), Days(shown.last + 1, days.last)] if shown else [days]
    yield from (_summary(proof.runs, part) for part in around if part.length > 0)


def _summary(runs: list[Run], days: Days) -> str:
    """Say in one line what is known of days that are not drawn."""
    known = [run.verdict for run in within(runs, days)]
    if not all(verdict.proven for verdict in known):
        return f"Not drawn: {words(days)}, not complete, see below."
    return f"Not drawn: {words(days)}, complete" + ("." if any(verdict.rows for verdict in known) else ", no studies.")


def _gaps(proof: Proof, question: Question, width: int) -> Iterator[str]:
    """List what is not proven, why, and what asks for it again."""
    undated = proof.undated if proof.undated and not proof.undated.proven else None
    gaps = _alike(proof.gaps)
    if not gaps and not undated:
        yield click.style("Everything that was asked for is proven complete.", fg="green")
        return
    yield click.style("Not proven complete, and the command that asks again:", bold=True)
    for gap in gaps[:MOST_GAPS]:
        days = Days(gap[0].days.first, gap[-1].days.last)
        yield _line(words(days), [run.verdict for run in gap], width)
        yield f"      {mending(proof.pacs, days, question)}"
        yield from _by_itself(proof, days)
    if len(gaps) > 1:
        more = len(gaps) - MOST_GAPS
        yield f"  {more:,} more; all together:" if more > 0 else "  all together:"
        yield f"      {mending(proof.pacs, days_of(question.date_from, question.date_to), question)}"
    if undated:
        yield _line("studies without a date", [undated], width)
        yield f"      pacslake sweep {proof.pacs}"


def _alike(gaps: list[Run]) -> list[list[Run]]:
    """Put neighbours together that differ in their reasons only."""
    groups: list[list[Run]] = []
    for run in gaps:
        before = groups[-1][-1] if groups else None
        if before and before.days.last + 1 == run.days.first and before.verdict.says[:2] == run.verdict.says[:2]:
            groups[-1].append(run)
        else:
            groups.append([run])
    return groups


def _line(what: str, verdicts: list[Verdict], width: int) -> str:
    """Say what is not proven, at which level and why, cut where the terminal ends."""
    first, *others = [verdict.reason or name_of(verdict.state) for verdict in verdicts]
    reason = visible(first) + (" (and others)" if set(others) - {first} else "")
    sentence = f"{verdicts[0].level.value}: {reason}"
    room = width - len(f"  {what:24}  C  ")
    cut = sentence if len(sentence) <= room else f"{sentence[: room - 1]}…"
    return f"  {what:24}  {mark(verdicts[0].state)}  {cut}"
