"""What became of studies, series and instances between two moments, version by version. Touches: disk."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from crawler.errors import UserError
from crawler.lake.moments import beginning_of, end_of
from crawler.lake.query import Lake
from crawler.lake.schema import TABLES, quoted
from crawler.model import Level

KINDS = {"insert": "appeared", "update": "changed", "remove": "vanished", "reappear": "reappeared"}
"""What a version says, in the log's words and in those of people."""
_OURS = ("row_id", "pacs", "valid_from", "valid_to", "change", "first_seen_at", "sweep_id")
_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Happened:
    """One version: what it says of its key."""

    at: datetime
    row_id: int
    pacs: str
    level: Level
    key: str
    """The level's unique key, a SOP Instance UID say."""
    kind: str
    """One of the values of KINDS."""
    sweep_id: str
    columns: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    """Of a changed one each column that differs: its old value and its new one."""


@dataclass(frozen=True, slots=True)
class Span:
    """Which versions are asked for: from a day or moment (UTC) on, until another, of these levels and these PACS."""

    since: str | date
    until: str | date | None = None
    levels: Sequence[Level] = tuple(Level)
    pacs: Sequence[str] = ()
    """Empty: of all."""


def changes(lake: Lake, span: Span) -> Iterator[Happened]:
    """Give every version of a span, oldest first. UserError where versions of that time are no longer kept."""
    since = beginning_of(span.since)
    until = end_of(span.until) if span.until is not None else datetime.max
    if lake.history_from and since < lake.history_from:
        raise UserError(f"The history of {lake.path} is whole since {lake.history_from} UTC only; ask for later.")
    found = [_of_level(lake, level, (since, until), list(span.pacs)) for level in span.levels]
    return heapq.merge(*found, key=lambda one: (one.at, one.row_id))


def _of_level(lake: Lake, level: Level, within: tuple[datetime, datetime], pacs: list[str]) -> Iterator[Happened]:
    """Read the versions of one level; the values of those alone that changed something, since most are new."""
    table, key = TABLES[level.entity], quoted(level.unique_key)
    query = f"""SELECT new.valid_from, new.row_id, new.pacs, new.{key}, new.change, new.sweep_id,
            CASE WHEN new.change = 'update' THEN old END, CASE WHEN new.change = 'update' THEN new END
        FROM {table}_history AS new LEFT JOIN {table}_history AS old
            ON new.change = 'update' AND old.pacs = new.pacs AND old.{key} = new.{key} AND old.valid_to = new.valid_from
        WHERE new.valid_from BETWEEN $since AND $until AND (len($pacs) = 0 OR list_contains($pacs, new.pacs))
        ORDER BY new.valid_from, new.row_id"""
    with lake.connection.cursor() as cursor:
        cursor.execute(query, {"since": within[0], "until": within[1], "pacs": pacs})
        while rows := cursor.fetchmany(_CHUNK):
            for at, row_id, name, uid, change, sweep_id, old, new in rows:
                yield Happened(at, row_id, name, level, uid, KINDS[change], sweep_id, _different(old, new))


def _different(old: dict[str, Any] | None, new: dict[str, Any] | None) -> dict[str, tuple[Any, Any]]:
    if old is None or new is None:
        return {}
    return {name: (old[name], new[name]) for name in new if name not in _OURS and old[name] != new[name]}
