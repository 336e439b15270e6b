"""Counts of a lake's current rows, kept beside it in one small file, so that who explores it need not wait.

They are as old as the version that they were counted at, which they name. A lake without them is whole.

Touches: disk, clock.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb

from crawler.errors import LakeError
from crawler.lake.catalog import attach, open_catalog
from crawler.lake.engine import connect
from crawler.lake.files import sync
from crawler.lake.schema import literal, quoted

FILE = "tallies.duckdb"
MEMORY = "1GB"
"""What counting may hold; beyond it DuckDB spills to disk."""
LAYOUT = 1
"""Tallies of another layout are counted anew."""

DIMENSIONS = ("pacs", "modality", "scanner", "body_part")


@dataclass(frozen=True, slots=True)
class Tallied:
    """When and at which version of the log the tallies were counted."""

    version: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Facet:
    """One value of a dimension, with its rows and their images as the PACS counts them."""

    value: str | None
    rows: int
    instances: int | None


@dataclass(frozen=True, slots=True)
class Month:
    """Rows of one month and modality."""

    month: date | None
    modality: str | None
    rows: int


@dataclass(frozen=True, slots=True)
class Exploration:
    """What was found under some conditions: each dimension's values, under the conditions on the others."""

    rows: int = 0
    instances: int | None = None
    facets: dict[str, list[Facet]] = field(default_factory=dict)
    months: list[Month] = field(default_factory=list)


Conditions = Mapping[str, str | None]
"""By dimension the value wanted; None for rows without one."""


def count(lake: Path) -> Tallied:
    """Count everything anew. NoLakeError where there is no lake."""
    with open_catalog(lake) as connection, tempfile.TemporaryDirectory(prefix=".tallies-", dir=lake) as folder:
        [(version, *_)] = connection.execute("SELECT * FROM lake_version").fetchall()
        draft = Path(folder) / FILE
        connection.execute(f"SET memory_limit = {literal(MEMORY)}; SET temp_directory = {literal(folder)}")
        connection.execute(f"ATTACH {literal(str(draft))} AS tallies")
        for statement in _statements():
            connection.execute(statement)
        now = datetime.now(UTC)
        said = [version, now.replace(tzinfo=None), LAYOUT]
        connection.execute("CREATE TABLE tallies.tallied AS SELECT ? AS version, ? AS counted_at, ? AS layout", said)
        connection.execute("DETACH tallies")
        sync(draft)
        os.replace(draft, lake / FILE)
    sync(lake)
    return Tallied(version, now)


def tallied(lake: Path) -> Tallied | None:
    """Say how old the tallies are; None where there are none, or none that this release can read."""
    try:
        with _opened(lake) as connection:
            [(version, at, layout)] = connection.execute("SELECT version, counted_at, layout FROM tallied").fetchall()
    except LakeError:
        return None
    return Tallied(version, at.replace(tzinfo=UTC)) if layout == LAYOUT else None


def explore(lake: Path, level: str, months: tuple[date | None, date | None], wanted: Conditions) -> Exploration:
    """Look at the rows of a level in months from the first to the last, both included, under further conditions."""
    with _opened(lake) as connection:

        def ask(select: str, left_out: str = "") -> list[tuple[Any, ...]]:
            where, values = _where(level, months, {name: value for name, value in wanted.items() if name != left_out})
            return connection.execute(f"{select} WHERE {where} GROUP BY ALL ORDER BY ALL", values).fetchall()

        [[rows, instances]] = ask('SELECT coalesce(sum("rows"), 0)::BIGINT, sum(instances)::BIGINT FROM explored')
        facets = {}
        for name in DIMENSIONS:
            found = ask(f'SELECT {name}, sum("rows")::BIGINT, sum(instances)::BIGINT FROM explored', name)
            facets[name] = sorted((Facet(*one) for one in found), key=lambda one: -one.rows)
        by_month = ask('SELECT "month", modality, sum("rows")::BIGINT FROM explored')
    return Exploration(rows, instances, facets, [Month(*one) for one in by_month])


def counted(lake: Path, table: str) -> list[dict[str, Any]]:
    """Give all rows of `faulty`, `late`, `conflicting` or `rejected`."""
    with _opened(lake) as connection:
        relation = connection.execute(f"SELECT * FROM {quoted(table)} ORDER BY ALL")
        names = [column[0] for column in relation.description]
        return [dict(zip(names, row, strict=True)) for row in relation.fetchall()]


def _statements() -> Iterator[str]:
    text = (files("crawler.lake") / "tallies.sql").read_text(encoding="utf-8")
    for block in text.split("\n\n"):
        yield block.replace("CREATE TABLE ", "CREATE TABLE tallies.")


def _where(level: str, months: tuple[date | None, date | None], wanted: Conditions) -> tuple[str, list[Any]]:
    ends = zip(('"month" >= ?', '"month" <= ?'), months, strict=True)
    conditions = {
        "level = ?": level,
        **{compared: month for compared, month in ends if month is not None},
        **{f"{quoted(name)} IS NOT DISTINCT FROM ?": value for name, value in wanted.items()},
    }
    return " AND ".join(conditions), list(conditions.values())


@contextmanager
def _opened(lake: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the tallies. LakeError where there are none."""
    if not (lake / FILE).is_file():
        raise LakeError(f"Nothing of {lake} has been counted yet.")
    try:
        with connect() as connection:
            attach(connection, lake / FILE)
            connection.execute("USE lake")
            yield connection
    except duckdb.Error as error:
        raise LakeError(f"{lake / FILE} cannot be read; delete it, it is counted anew.") from error
