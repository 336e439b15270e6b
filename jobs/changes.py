"""`pacslake changes`: what appeared, changed, vanished and came back, for people and for scripts.

Touches: disk, standard output.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

import crawler
from crawler.lake.changes import KINDS, Happened, Span, changes
from jobs.table import cell, visible


def show_changes(lake: Path, span: Span, kind: str) -> None:
    """Write every change of a span, oldest first, and say at the end on standard error how many there were."""
    counts: Counter[str] = Counter()
    with crawler.open_lake(lake) as opened:
        for line in _FORMS[kind](_counted(changes(opened, span), counts)):
            click.echo(line)
    click.echo(f"pacslake: {', '.join(f'{counts[name]:,} {name}' for name in KINDS.values())}", err=True)


def _counted(found: Iterable[Happened], counts: Counter[str]) -> Iterator[Happened]:
    for one in found:
        counts[one.kind] += 1
        yield one


def _as_text(found: Iterable[Happened]) -> Iterator[str]:
    for one in found:
        yield f"{one.at:%Y-%m-%d %H:%M:%S}  {one.pacs}  {one.level}  {one.kind:10}  {visible(one.key)}"
        for name, (old, new) in one.columns.items():
            yield f"    {name}: {cell(old)} -> {cell(new)}"


def _as_json(found: Iterable[Happened]) -> Iterator[str]:
    first = True
    for line in _as_lines(found):
        yield ("[" if first else ",") + line
        first = False
    yield "[]" if first else "]"


def _as_lines(found: Iterable[Happened]) -> Iterator[str]:
    for one in found:
        plain = {
            "at": one.at.isoformat(),
            "pacs": one.pacs,
            "level": one.level.value,
            "change": one.kind,
            "key": one.key,
            "sweep_id": one.sweep_id,
            "columns": {name: {"old": old, "new": new} for name, (old, new) in one.columns.items()},
        }
        yield json.dumps(plain, default=_plain, ensure_ascii=False)


def _plain(value: Any) -> str:
    return value.decode("ascii", "backslashreplace") if isinstance(value, bytes) else str(value)


_FORMS = {"text": _as_text, "json": _as_json, "jsonl": _as_lines}
