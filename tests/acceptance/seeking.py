"""Look for patients in a lake: in the bytes of every file in it, and in every value of every Parquet file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from crawler.model import HIERARCHY, Level
from crawler.testing.archive import Archive

SHORTEST = 4
"""Shorter names stand in other words by chance."""


def identifiers(*archives: Archive) -> set[str]:
    """Give what identifies the patients of archives, and who sent them, as it may be written."""
    rows = [row for archive in archives for row in archive.table(Level.STUDY).to_pylist()]
    found: set[str] = set()
    for row in rows:
        found |= {row["PatientID"], row["AccessionNumber"]}
        found |= {part for name in (row["PatientName"], row["ReferringPhysicianName"]) for part in name.split("^")}
        found |= written(row["PatientBirthDate"])
    found.discard("12345678")  # to which the last digits of ascending UIDs come in a compressed page
    tables = [(level, archive.table(level)) for archive in archives for level in HIERARCHY[1:]]
    uids = " ".join(uid for level, table in tables for uid in table[level.unique_key].to_pylist())
    return {text for text in found if len(text) >= SHORTEST and text not in uids}


def written(day: date | None) -> set[str]:
    """Give a day as texts have it."""
    return set() if day is None else {f"{day:%Y%m%d}", f"{day}"}


def hits(folder: Path, wanted: Iterable[str]) -> dict[str, set[str]]:
    """Say which of these texts stand in which files below a folder; nothing is right."""
    wanted = sorted(wanted)
    found: dict[str, set[str]] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        texts = "\n".join(_texts(path)) if path.suffix == ".parquet" else ""
        mine = {text for text in wanted if text in texts or any(one in content for one in _encoded(text))}
        if mine:
            found[str(path.relative_to(folder))] = mine
    return found


def _encoded(text: str) -> set[bytes]:
    return {text.encode("utf-8"), text.encode("latin-1", "replace"), text.encode("utf-16-le")}


def _texts(path: Path) -> Iterator[str]:
    for column in pq.ParquetFile(path).read().columns:
        for value in column.to_pylist():
            yield from _leaves(value)


def _leaves(value: Any) -> Iterator[str]:
    match value:
        case dict():
            for one in value.values():
                yield from _leaves(one)
        case list():
            for one in value:
                yield from _leaves(one)
        case bytes():
            yield value.decode("utf-8", "replace")
            yield value.decode("latin-1")
        case None:
            return
        case _:
            yield str(value)
