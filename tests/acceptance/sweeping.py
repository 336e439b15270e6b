"""What tests of whole sweeps share: settings, the outcome of the command, and the lake against the truth."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

import crawler
from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.changing import ChangingArchive
from tests.acceptance.installed import pacslake

TABLES = {Level.STUDY: "studies", Level.SERIES: "series", Level.IMAGE: "instances"}

Done = subprocess.CompletedProcess[bytes]


def configure(folder: Path, ports: Mapping[str, int], **settings: object) -> None:
    """Write pacslake.toml for PACS by name; further settings hold for each of them, in TOML's own words."""
    sections = (section(name, port=port, **settings) for name, port in ports.items())
    (folder / "pacslake.toml").write_text('[lake]\npath = "lake"\n' + "".join(sections))


def section(name: str, **settings: object) -> str:
    """Write the section of one PACS, on this machine unless its settings say otherwise."""
    usual = {"host": '"127.0.0.1"', "ae_title": '"SIMPACS"'}
    return f"[pacs.{name}]\n" + "".join(f"{key} = {value}\n" for key, value in (usual | settings).items())


def sweep(folder: Path, *arguments: str) -> Done:
    """Run `pacslake sweep` to its end."""
    return pacslake(folder, "sweep", *arguments)


def said(done: Done) -> str:
    """Give what the command said to the person who typed it."""
    return done.stderr.decode()


def ask(folder: Path, statement: str) -> list[tuple[Any, ...]]:
    """Ask the lake."""
    with crawler.open_lake(folder / "lake") as lake:
        return lake.sql(statement).fetchall()


def differences(
    folder: Path,
    pacs: str,
    level: Level,
    archive: Archive | ChangingArchive,
    days: Sequence[date | None] = (None, None),
) -> list[str]:
    """Name the columns in which the lake's rows of a PACS are not those of its archive on these days; none is right.

    Rows of other days may be there too, from answers that proved nothing.
    """
    truth = archive.table(level, *days).sort_by(level.unique_key)
    names = ", ".join(f'"{name}"' for name in truth.column_names)
    first, last = (f"'{day}'" if day else "NULL" for day in days)
    studies = f"""(select StudyInstanceUID from studies
        where pacs = '{pacs}' and coalesce(StudyDate >= {first}, true) and coalesce(StudyDate <= {last}, true))"""
    statement = f"""select {names} from {TABLES[level]}
        where pacs = '{pacs}' and StudyInstanceUID in {studies} order by {level.unique_key}"""
    with crawler.open_lake(folder / "lake") as lake:
        rows = lake.sql(statement).to_arrow_table().cast(truth.schema)
    if rows.num_rows != truth.num_rows:
        return [f"{rows.num_rows} rows, not {truth.num_rows}"]
    return [name for name in truth.column_names if not _equal(rows[name], truth[name])]


def _equal(column: pa.ChunkedArray, truth: pa.ChunkedArray) -> bool:
    return bool(column.combine_chunks().equals(truth.combine_chunks()))


def states(folder: Path, pacs: str) -> dict[str, int]:
    """Count the windows of a PACS by state."""
    return dict(ask(folder, f"select state, count(*) from windows where pacs = '{pacs}' group by all"))
