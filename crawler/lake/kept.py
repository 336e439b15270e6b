"""Current rows that keep bytes in `raw`, as decoding gave them, a batch at a time. Touches: disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from crawler import columns
from crawler.lake.query import Lake
from crawler.lake.schema import TABLES, literal, quoted
from crawler.model import Level

_BATCH = 20_000


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows: of a PACS, with one of these faults or else, where it is given, with these declared terms."""

    pacs: str
    reasons: Sequence[str]
    declared: str | None = None
    r"""SpecificCharacterSet, its values joined by \; '' where the answers named none."""


def kept_rows(lake: Lake, level: Level, selection: Selection) -> Iterator[pa.Table]:
    """Give the current rows of a level with the columns of decoded answers, those that users added included."""
    schema = pa.schema([*columns.schema(level), *lake.added.get(level.entity, ())])
    names = ", ".join(quoted(name) for name in schema.names)
    if selection.declared is None:
        reasons = ", ".join(map(literal, selection.reasons))
        wanted = f"len([1 FOR fault IN faults IF fault.reason IN ({reasons})]) > 0"
    else:
        wanted = f"coalesce(array_to_string(SpecificCharacterSet, '\\'), '') = {literal(selection.declared)}"
    mine = f"pacs = {literal(selection.pacs)} AND len(raw) > 0"
    query = f"SELECT {names} FROM {TABLES[level.entity]} WHERE {mine} AND {wanted}"
    for batch in lake.sql(query).to_arrow_reader(_BATCH):
        yield pa.Table.from_batches([batch]).cast(schema)


def pacs_of(lake: Lake) -> list[str]:
    """Name the PACS that have rows in the lake."""
    tables = " UNION ".join(f"SELECT pacs FROM {table}" for table in TABLES.values())
    return [name for (name,) in lake.sql(f"SELECT DISTINCT pacs FROM ({tables}) ORDER BY 1").fetchall()]
