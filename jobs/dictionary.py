"""`pacslake dictionary`: the data dictionary as text, JSON or Markdown. Touches: the terminal's width."""

from __future__ import annotations

import difflib
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING

import pyarrow as pa

from crawler.errors import UserError
from crawler.lake.dictionary import Entry, dictionary
from jobs.table import render

if TYPE_CHECKING:
    from crawler.settings import Settings

_HISTORY = "_history"
_INTRODUCTION = """\
# Data dictionary

Every column of every table. `pacslake dictionary --format markdown` writes this page; scripts read it with
`--format json`. The same words stand in the metadata of each Parquet field and, as comments, at the views' columns.

PHI says how far a value identifies a person: `direct` by itself, `quasi` together with others, `none` not at all. It
follows PS3.15 table E.1-1 and is no substitute for a judgement of what you publish: free text may hold anything.
"""
_SHOWN = ("column", "type", "tag", "vr", "name", "phi", "null", "meaning", "example")


def described(settings: Settings | None, tables: Sequence[str]) -> list[Entry]:
    """Describe the columns of these tables, of all when none is named. UserError for a table that is none."""
    added: dict[str, tuple[pa.Field, ...]] = {}
    for level, key in settings.attributes.resolved() if settings else ():
        added[level.entity] = (*added.get(level.entity, ()), *key.fields())
    entries = dictionary(added)
    known = list(dict.fromkeys(entry.table for entry in entries))
    for table in tables:
        if table not in known:
            near = difflib.get_close_matches(table, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"the tables are {', '.join(known)}"
            raise UserError(f"there is no table {table!r}; {hint}")
    return [entry for entry in entries if not tables or entry.table in tables]


def as_json(entries: Sequence[Entry]) -> str:
    """Give a list of objects, one for each column."""
    return json.dumps([plain(entry) for entry in entries], indent=2, ensure_ascii=False)


def as_text(entries: Sequence[Entry]) -> str:
    """Give a table for each table, cut to the terminal's width where there is one."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    parts = []
    for table, rows in _by_table(entries):
        names = ("column", "type", "tag", "phi", "meaning")
        cells = [tuple(plain(row)[name] for name in names) for row in rows]
        parts.append("\n".join([_title(table), *render(list(names), cells, width)]))
    return "\n\n".join(parts)


def as_markdown(entries: Sequence[Entry]) -> str:
    """Give docs/dictionary.md."""
    lines = [_INTRODUCTION]
    for table, rows in _by_table(entries):
        lines += [f"## {_title(table)}\n", _markdown_row(_SHOWN), _markdown_row(["---"] * len(_SHOWN))]
        lines += [_markdown_row([plain(row)[name] for name in _SHOWN]) for row in rows]
        lines.append("")
    return "\n".join(lines).rstrip("\n")


def _by_table(entries: Sequence[Entry]) -> list[tuple[str, list[Entry]]]:
    """Give the columns of each table; of a history only those that its table does not have."""
    tables = {table: list(rows) for table, rows in groupby(entries, lambda entry: entry.table)}
    shown = []
    for table, rows in tables.items():
        same = {row.column for row in tables.get(table.removesuffix(_HISTORY), ()) if table.endswith(_HISTORY)}
        shown.append((table, [row for row in rows if row.column not in same]))
    return shown


def _title(table: str) -> str:
    stem = table.removesuffix(_HISTORY)
    return table if stem == table else f"{table}: every version of the rows of {stem}; beside its columns"


def plain(entry: Entry) -> dict[str, str]:
    """Give one column as what JSON can hold."""
    return {**asdict(entry), "name": entry.name}


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


WRITERS: dict[str, Callable[[Sequence[Entry]], str]] = {"text": as_text, "json": as_json, "markdown": as_markdown}
"""How each --format is written."""
