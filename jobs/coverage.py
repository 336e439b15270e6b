"""`pacslake coverage`: what is proven complete and what is not, as a calendar or for scripts.

Touches: disk, clock, standard output.
"""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

import click

from crawler.model import WindowState
from crawler.plan.calendar import Run, Verdict, joined
from crawler.plan.days import BEGINNING, END
from crawler.settings import Settings
from jobs.exits import Exit
from jobs.explain import as_lines, iso, mending
from jobs.proof import Proof, Question, proofs


def show_coverage(settings: Settings, question: Question, kind: str, *, colors: bool) -> Exit:
    """Print what is proven of each PACS; give 0 when all of it is, 4 when all that is not is capped, else 3."""
    found = proofs(settings, question, date.today())
    code = exit_for(found)
    if kind == "table":
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 80
        for number, proof in enumerate(found):
            lines = as_lines(proof, question, width)
            click.echo("\n".join([""] * bool(number) + list(lines)), color=None if colors else False)
    elif kind == "json":
        click.echo(json.dumps(coverage_values(found, question), indent=2))
    else:
        _write_rows([row for proof in found for row in as_rows(proof, question)], kind)
    return code


def exit_for(found: Iterable[Proof]) -> Exit:
    """Say with an exit code whether anything is not proven."""
    everyone = list(found)
    states = {doubt.state for proof in everyone for doubt in proof.doubts}
    if states - {WindowState.CAPPED} or any(proof.days is None for proof in everyone):
        return Exit.PARTIAL
    return Exit.CAPPED if states else Exit.OK


def coverage_values(found: list[Proof], question: Question) -> dict[str, Any]:
    """Give what is known of these PACS as what JSON can hold."""
    return {"proven": exit_for(found) is Exit.OK, "pacs": [as_values(proof, question) for proof in found]}


def as_values(proof: Proof, question: Question) -> dict[str, Any]:
    """Give what is known of one PACS as what JSON can hold. A range whose end is open has null there."""
    days, telling = proof.days, proof.telling
    return {
        "pacs": proof.pacs,
        "proven": not proof.doubts and days is not None,
        "levels": [level.value for level in proof.levels],
        "date_from": iso(days.first) if days else None,
        "date_to": iso(days.last) if days else None,
        "telling_from": iso(telling.first) if telling else None,
        "telling_to": iso(telling.last) if telling else None,
        "undated": _verdict_values(proof.undated) if proof.undated else None,
        "ranges": [_run_values(proof, run, question) for run in joined(proof.runs)],
    }


def as_rows(proof: Proof, question: Question) -> Iterator[dict[str, Any]]:
    """Give what is known of one PACS as a row for each range; that of the studies without a date has no days.

    A PACS that was never asked has one row: who reads the rows alone would else take it for one that is not there.
    """
    if proof.days is None:
        nothing = {"date_from": None, "date_to": None, "days": None, "state": "never_asked", "reason": None}
        command = f"pacslake sweep {proof.pacs}"
        yield {"pacs": proof.pacs, "undated": False, **nothing, "level": proof.levels[0].value, "command": command}
    for run in joined(proof.runs):
        yield {"pacs": proof.pacs, "undated": False, **_run_values(proof, run, question)}
    if proof.undated:
        nowhere = {"date_from": None, "date_to": None, "days": None}
        yield {"pacs": proof.pacs, "undated": True, **nowhere, **_verdict_values(proof.undated), "command": None}


def _run_values(proof: Proof, run: Run, question: Question) -> dict[str, Any]:
    return {
        "date_from": iso(run.days.first),
        "date_to": iso(run.days.last),
        "days": None if run.days.first == BEGINNING or run.days.last == END else run.days.length,
        **_verdict_values(run.verdict),
        "command": None if run.verdict.proven else mending(proof.pacs, run.days, question),
    }


def _verdict_values(verdict: Verdict) -> dict[str, Any]:
    """Give state, level and reason; the level is the first that is not proven."""
    state = "never_asked" if verdict.state is None else verdict.state.value
    return {"state": state, "level": None if verdict.proven else verdict.level.value, "reason": verdict.reason}


def _write_rows(rows: list[dict[str, Any]], kind: str) -> None:
    if kind == "jsonl":
        click.echo("".join(f"{json.dumps(row)}\n" for row in rows), nl=False)
        return
    names = ["pacs", "undated", "date_from", "date_to", "days", "state", "level", "reason", "command"]
    writer = csv.DictWriter(sys.stdout, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({**row, "undated": str(row["undated"]).lower()} for row in rows)
