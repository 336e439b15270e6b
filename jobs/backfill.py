"""`pacslake backfill`: sweep just the days that are not proven complete.

Touches: network, disk, clock, standard output.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import click

from crawler.errors import NotNowError
from crawler.model import WindowState
from crawler.plan.days import BEGINNING, END, Days
from crawler.plan.estimate import Cost, cost_of, cost_of_a_day
from crawler.settings import Settings
from jobs.coverage import exit_for
from jobs.exits import Exit
from jobs.explain import iso, words
from jobs.permission import admitted
from jobs.proof import Proof, Question, proofs
from jobs.table import render


def run_backfill(settings: Settings, question: Question, *, dry_run: bool, as_json: bool = False) -> Exit:
    """Ask again for what is not proven, newest days first; give the exit code: 0 all proven now, 3 or 4 not, 130."""
    settings.require_pacs(question.pacs)
    asked = replace(question, pacs=question.pacs or tuple(settings.pacs), catching_up=True)
    found = proofs(settings, asked, date.today())
    for sentence in _left_to_sweeps(found):
        click.echo(f"pacslake: {sentence}", err=True)
    if dry_run:
        click.echo(json.dumps(_planned(found), indent=2) if as_json else "\n".join(_forecast(found)))
        return Exit.OK
    if not _due(found):
        click.echo("pacslake: no day is due", err=True)
        return exit_for(found)
    if _mend(settings, asked, found) is Exit.INTERRUPTED:
        return Exit.INTERRUPTED
    return exit_for(proofs(settings, asked, date.today()))


def gaps_of(proof: Proof) -> list[Days]:
    """Give the days that are not proven, for whatever reason, in ranges as long as may be."""
    gaps: list[Days] = []
    for run in proof.gaps:
        if gaps and gaps[-1].last + 1 == run.days.first:
            gaps[-1] = Days(gaps[-1].first, run.days.last)
        else:
            gaps.append(run.days)
    return gaps


def _due(found: list[Proof]) -> dict[Days, list[str]]:
    """Give for each range of days the PACS to ask for it, newest days first."""
    due: dict[Days, list[str]] = {}
    for proof in found:
        for days in gaps_of(proof):
            due.setdefault(days, []).append(proof.pacs)
    return dict(sorted(due.items(), reverse=True))


def _mend(settings: Settings, question: Question, found: list[Proof]) -> Exit:
    """Sweep range after range. A PACS that does not answer is left alone after the first. NotNowError when none may."""
    from jobs.sweep import SweepRequest, run_sweep

    due = _due(found)
    may_be_asked = admitted(settings, sorted({name for names in due.values() for name in names}))
    silent: set[str] = set()
    for number, (days, names) in enumerate(due.items(), start=1):
        asking = tuple(name for name in names if name in may_be_asked and name not in silent)
        if not asking:
            continue
        click.echo(f"pacslake: {', '.join(asking)}: {words(days)} ({number} of {len(due)})", err=True)
        first, last = (None if day in (BEGINNING, END) else date.fromordinal(day) for day in days)
        began = datetime.now(UTC)
        try:
            code = run_sweep(settings, SweepRequest(asking, first, last, question.deepest, restart=True))
        except NotNowError as closed:  # since a moment ago; others may have their turn still
            click.echo(f"pacslake: {closed}", err=True)
            continue
        if code == Exit.INTERRUPTED:
            return Exit.INTERRUPTED
        if code:
            silent.update(_silent(proofs(settings, replace(question, pacs=asking), date.today()), began))
    for name in sorted(silent):
        click.echo(f"pacslake: {name} did not answer and was left alone; type the same command again later", err=True)
    return Exit.OK


def _silent(found: list[Proof], since: datetime) -> Iterator[str]:
    """Name the PACS that have not answered a single query to its end since then."""
    for proof in found:
        new = [row.state for row in proof.rows if row.asked_at >= since]
        if all(state is WindowState.INTERRUPTED for state in new):
            yield proof.pacs


def _left_to_sweeps(found: list[Proof]) -> Iterator[str]:
    """Say what no range of days can ask for."""
    for proof in found:
        if proof.days is None:
            yield f"{proof.pacs} was never asked; type: pacslake sweep {proof.pacs}"
        if proof.undated and not proof.undated.proven:
            yield f"studies of {proof.pacs} without a date are not proven complete; type: pacslake sweep {proof.pacs}"


def planned(settings: Settings, question: Question) -> dict[str, Any]:
    """Give what a backfill would ask for, and what that will cost about: null where nothing tells. UserError."""
    settings.require_pacs(question.pacs)
    asked = replace(question, pacs=question.pacs or tuple(settings.pacs), catching_up=True)
    return _planned(proofs(settings, asked, date.today()))


def _planned(found: list[Proof]) -> dict[str, Any]:
    ranges: list[dict[str, Any]] = []
    total = Cost(0, 0, 0)
    for proof in found:
        a_day = cost_of_a_day(proof.rows, proof.levels)
        for days in reversed(gaps_of(proof)):
            cost = cost_of(days, a_day) if a_day else None
            total = total.plus(cost) if cost else total
            length = None if BEGINNING in days or END in days else days.length
            ends = {"date_from": iso(days.first), "date_to": iso(days.last), "days": length}
            ranges.append({"pacs": proof.pacs, **ends, **_cost_values(cost)})
    return {"ranges": ranges, "total": _cost_values(total if total.queries else None)}


def _cost_values(cost: Cost | None) -> dict[str, int | None]:
    if cost is None:
        return {"queries": None, "studies": None, "seconds": None}
    return {"queries": math.ceil(cost.queries), "studies": round(cost.studies), "seconds": math.ceil(cost.seconds)}


def _forecast(found: list[Proof]) -> Iterator[str]:
    """List what would be asked for, and what that will cost about."""
    plan = _planned(found)
    if not plan["ranges"]:
        yield "No day is due: all that was asked for is proven complete."
        return
    rows = [
        (*(one[name] or "" for name in ("pacs", "date_from", "date_to", "days")), *_figures(one))
        for one in plan["ranges"]
    ]
    yield from render(("pacs", "from", "to", "days", "queries", "studies", "time"), rows, None)
    yield ""
    if plan["total"]["queries"]:
        queries, studies, time = _figures(plan["total"])
        yield f"About {queries:,} queries, {studies:,} studies and {time} (h:mm:ss), going by earlier answers."
    yield "Nothing was asked yet. The same command without --dry-run does."


def _figures(one: dict[str, Any]) -> tuple[int | str, int | str, str]:
    if one["queries"] is None:
        return "?", "?", "?"
    seconds = one["seconds"]
    return one["queries"], one["studies"], f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
