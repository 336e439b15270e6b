"""`pacslake verify`: what is wrong with a lake, for people and for scripts. Touches: disk, standard output."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from crawler.lake.flaws import Harm
from crawler.lake.verify import Verified, verify
from jobs.exits import Exit
from jobs.table import render

MEANING = {
    Harm.DATA: "rows are lost",
    Harm.LOG: "the log is broken",
    Harm.ROWS: "rows contradict each other",
    Harm.CACHE: "made again by any command that writes",
    Harm.STORE: "other machines cannot fetch it",
    Harm.LEFTOVER: "was replaced already",
}


def run_verify(lake: Path, *, as_json: bool) -> Exit:
    """Check a lake and say what is wrong; give the exit code: 0 nothing, 1 something."""
    found = verify(lake)
    if as_json:
        click.echo(json.dumps({"whole": not found.flaws, **asdict(found)}, indent=2))
    else:
        click.echo("\n".join(in_words(found)))
    return Exit.ERROR if found.flaws else Exit.OK


def in_words(found: Verified) -> Iterator[str]:
    """Give the lines of a report."""
    if found.flaws:
        rows = [(flaw.path, flaw.said, MEANING[flaw.harm]) for flaw in found.flaws]
        yield from render(("what", "is wrong", "and so"), rows, None)
    yield from (f"Note: {note}." for note in found.notes)
    if found.flaws:
        yield "Type: pacslake repair"
    else:
        yield f"The lake is whole: {found.files:,} data files ({found.size / 1e6:,.1f} MB), every commit, every key."
