"""`pacslake audit`: show the lines of the audit, or check their chain. Touches: disk, standard output and error."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import click

from crawler.lake.audit import AuditLog
from jobs.exits import Exit
from jobs.showing import print_table

COLUMNS = ("at", "person", "role", "address", "action", "outcome", "rows", "phi_columns", "what")
MORE = ("lake_version", "seconds", "previous")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines; days are UTC, both included."""

    first: date | None = None
    last: date | None = None
    person: str | None = None


def show_audit(lake: Path, wanted: Wanted, kind: str) -> None:
    """Print the lines, oldest first: as table, json, jsonl or csv."""
    found = lines(lake, wanted)
    if kind == "jsonl":
        for one in found:
            click.echo(json.dumps(one, ensure_ascii=False))
    elif kind == "json":
        click.echo(json.dumps(list(found), ensure_ascii=False, indent=2))
    elif kind == "csv":
        names = (*COLUMNS, *MORE)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([names, *([_cell(one.get(name)) for name in names] for one in found)])
        click.echo(text.getvalue(), nl=False)
    else:
        rows = [[_cell(one.get(name)) for name in COLUMNS] for one in found]
        print_table(COLUMNS, rows, "Nobody did anything of this kind.")


def lines(lake: Path, wanted: Wanted) -> Iterator[dict[str, Any]]:
    """Give the lines that are wanted, oldest first."""
    first, last = (str(day) if day else "" for day in (wanted.first, wanted.last))
    for one in AuditLog(lake).entries(first[:7]):
        on = str(one.get("at", ""))[:10]
        if first <= on and (not last or on <= last) and wanted.person in (None, one.get("person")):
            yield one


def verify_audit(lake: Path, first: date | None) -> int:
    """Say whether the chain holds, from a month on; exit code 1 where it does not."""
    broken, count, head = AuditLog(lake).broken(f"{first:%Y-%m}" if first else "")
    for one in broken:
        click.echo(f"{one.file} line {one.line}: {one.why}")
    said = "The chain is broken" if broken else "The chain holds"
    click.echo(f"pacslake: {said}: {count} lines, the last one's hash is {head}", err=True)
    return Exit.ERROR if broken else Exit.OK


def _cell(value: Any) -> Any:
    return " ".join(map(str, value)) if isinstance(value, list) else value
