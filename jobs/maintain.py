"""`pacslake maintain`: upkeep of the lake, and what it did in words. Touches: disk, clock, standard output."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from crawler.lake.log import Log, open_table
from crawler.lake.query import open_lake
from crawler.lake.upkeep import Maintained, Wanted, forecast, maintain
from crawler.lake.writer import LakeWriter
from jobs.table import render


def run_maintain(lake: Path, wanted: Wanted, *, dry_run: bool, as_json: bool) -> None:
    """Do the upkeep, or say what it would do."""
    if dry_run:
        with open_lake(lake) as opened:
            done = forecast(Log(opened.path / "log", open_table(opened.path)), opened.connection, wanted)
    else:
        with LakeWriter.open(lake, create=False) as writer:
            done = maintain(writer, wanted)
    if as_json:
        told = {name: value for name, value in asdict(done).items() if value is not None}
        click.echo(json.dumps({"dry_run": dry_run, **told}, indent=2))
    else:
        click.echo("\n".join(_in_words(done, dry_run=dry_run)))


def _in_words(done: Maintained, *, dry_run: bool) -> Iterator[str]:
    if done.rewritten:
        names = ("rows of", "rows", "files", "into", "dropped")
        rows = [(one.entity, one.rows, one.files, one.into or "?", one.dropped) for one in done.rewritten]
        yield from render(names, rows, None)
    else:
        yield "No files have to be rewritten."
    doing = "would be deleted" if dry_run else "deleted"
    yield f"{done.deleted.files:,} files that nobody needs any more {doing} ({done.deleted.size / 1e6:,.1f} MB)."
    if there := done.in_store:
        yield f"{there.files:,} objects of the object store {doing} ({there.size / 1e6:,.1f} MB)."
    if dry_run:
        yield "Nothing was done yet. The same command without --dry-run does."
