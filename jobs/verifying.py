"""`pacslake cohort verify`: a copy against its manifest, or the store. Touches: disk, standard output."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import click
from rich.filesize import decimal

from crawler.cohort.frozen import newest
from crawler.export.receipt import RECEIPT, find_manifest, strangers
from crawler.lake.catalog import open_catalog
from crawler.retrieve.readback import Flaw, Told, examine, examined
from crawler.retrieve.standing import gather
from crawler.settings import Settings
from jobs.counting import counted
from jobs.exits import Exit
from jobs.holdings import looked_at
from jobs.table import visible

SHOWN = 20


@dataclass(slots=True)
class Verified:
    """What came of it."""

    files: int = 0
    size: int = 0
    flaws: dict[Flaw, list[str]] = field(default_factory=dict)

    def add(self, flaw: Flaw, path: str) -> None:
        """Note that a file is not as it should be."""
        self.flaws.setdefault(flaw, []).append(path)


def verify_copy(path: Path, root: Path | None, *, as_json: bool) -> Exit:
    """Read every file that a manifest names; give 1 where one is not what it says, or is not in it."""
    manifest = find_manifest(path, root)
    seen = examined(manifest.told(), partial(examine, manifest.root))
    found = _verified(counted(seen, manifest.count, "files"))
    if manifest.altered:
        found.add(Flaw.CONTENT, f"{manifest.file.name}, by the checksum in {RECEIPT}")
    if manifest.is_beside:
        for stranger in strangers(manifest):
            found.add(Flaw.EXTRA, stranger)
    return _said(found, as_json=as_json)


def verify_store(settings: Settings, name: str, number: int | None, *, as_json: bool) -> Exit:
    """Read every file of a cohort that the lake says is here; give 1 where one is not what it says."""
    frozen = newest(settings.lake.path, name, number)
    with open_catalog(settings.lake.path) as connection:
        gather(connection, frozen.rows)
        found = _verified(looked_at(connection, partial(examine, settings.local.store_path)))
    return _said(found, as_json=as_json)


def _verified(seen: Iterable[tuple[Told, Flaw | None]]) -> Verified:
    found = Verified()
    for told, flaw in seen:
        found.files += 1
        found.size += told.size
        if flaw is not None:
            found.add(flaw, told.path)
    return found


def _said(found: Verified, *, as_json: bool) -> Exit:
    if as_json:
        wrong = {flaw.name.lower(): paths for flaw, paths in found.flaws.items()}
        values = {"whole": not wrong, "files": found.files, "bytes": found.size, "wrong": wrong}
        click.echo(json.dumps(values, indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(_lines(found)))
    return Exit.ERROR if found.flaws else Exit.OK


def _lines(found: Verified) -> Iterator[str]:
    for flaw, paths in found.flaws.items():
        yield f"{len(paths):,} {_PLURAL[flaw]}:"
        yield from _first(paths)
    if not found.flaws:
        yield f"All {found.files:,} files ({decimal(found.size)}) are what they should be."


def _first(paths: Iterable[str]) -> Iterator[str]:
    named = list(paths)
    yield from (f"  {visible(path)}" for path in named[:SHOWN])
    if len(named) > SHOWN:
        yield f"  and {len(named) - SHOWN:,} more; --format json names all"


_PLURAL = {
    Flaw.MISSING: "files are missing",
    Flaw.SIZE: "files have another size",
    Flaw.CONTENT: "files have other content",
    Flaw.INSTANCE: "files hold another instance",
    Flaw.EXTRA: "files are not in the manifest",
}
