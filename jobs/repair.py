"""`pacslake repair`: what is broken, what that puts in doubt, and the crawl that mends it.

Touches: disk, clock, standard output.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from crawler.lake.restore import Repaired, plan, repair
from crawler.model import Coverage, Level
from jobs.exits import Exit
from jobs.table import render
from jobs.verify import MEANING


def run_repair(lake: Path, *, yes: bool, as_json: bool) -> Exit:
    """Repair a lake, or say what repairing it means; give the exit code."""
    done = repair(lake) if yes else plan(lake)
    if as_json:
        crawl = list(dict.fromkeys(map(_command, done.doubts)))
        flaws = [asdict(flaw) for flaw in done.flaws]
        click.echo(json.dumps({"repaired": yes, "flaws": flaws, "crawl": crawl}, indent=2))
    else:
        click.echo("\n".join(_in_words(done, yes=yes)))
    if not yes:
        return Exit.ERROR if done.flaws else Exit.OK
    return Exit.PARTIAL if done.doubts else Exit.OK


def _in_words(done: Repaired, *, yes: bool) -> Iterator[str]:
    if not done.flaws:
        yield "Nothing is broken."
        return
    rows = [(flaw.path, flaw.said, MEANING[flaw.harm]) for flaw in done.flaws]
    yield from render(("what", "is wrong", "and so"), rows, None)
    if done.doubts:
        yield ""
        is_now = "is" if yes else "would be"
        yield f"What rested on lost rows {is_now} recorded as not proven. The crawl that mends it:"
        yield from (f"    {command}" for command in dict.fromkeys(map(_command, done.doubts)))
    yield ""
    if yes:
        yield "Repaired; what was broken lies in quarantine/ in the lake."
    else:
        yield "Nothing was done yet. The same command with --yes moves what is broken to quarantine/."


def _command(doubt: Coverage) -> str:
    window = doubt.window
    if window.undated:
        return f"pacslake sweep {doubt.pacs}"
    first = f" --from {window.date_from}" if window.date_from else ""
    last = f" --to {window.date_to}" if window.date_to else ""
    level = "" if doubt.level is Level.WORKLIST else f" --level {doubt.level}"
    return f"pacslake backfill {doubt.pacs}{first}{last}{level}"
