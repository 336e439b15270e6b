"""`pacslake cohort receipt` and `export --files`: a cohort's files, and the account of them. Touches: disk, clock."""

from __future__ import annotations

import json
from importlib.metadata import version as version_of
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.filesize import decimal

from crawler.cohort.frozen import Frozen, newest
from crawler.export.copies import begin, copier, end, path_of, sync_folder
from crawler.export.receipt import write_receipt, written_now
from crawler.lake.catalog import OWN_PLACE, open_catalog
from crawler.retrieve.standing import Standing, gather, standing
from crawler.settings import Settings
from crawler.words import many
from jobs.exits import Exit
from jobs.holdings import lost_files, missing_values

if TYPE_CHECKING:
    import duckdb

_OTHERS = f"SELECT SOPInstanceUID, path, sha256 FROM came WHERE NOT ({OWN_PLACE}) ORDER BY path"


def write_receipt_of(settings: Settings, name: str, number: int | None, to: Path, *, overwrite: bool) -> Exit:
    """Write a receipt of what is in the store; give 3 while anything is missing."""
    frozen = newest(settings.lake.path, name, number)
    with open_catalog(settings.lake.path) as connection:
        gather(connection, frozen.rows)
        found = standing(connection)
        told = _told(connection, frozen, found, str(settings.local.store_path.absolute()))
        write_receipt(connection, to, told, overwrite=overwrite)
    return _said(to, found)


def export_files(settings: Settings, name: str, number: int | None, to: Path, *, link: bool) -> Exit:
    """Copy what is here, with a receipt beside; give 3 while anything is missing."""
    frozen, store = newest(settings.lake.path, name, number), settings.local.store_path
    begin(to, "cohort", name)
    with open_catalog(settings.lake.path) as connection:
        gather(connection, frozen.rows)
        lost = lost_files(connection, copier(store, to, link=link))
        found = standing(connection)
        sync_folder(to)
        told = _told(connection, frozen, found, ".")
        told["lost"] = [{"SOPInstanceUID": one.instance, "path": one.path, "reason": flaw.value} for one, flaw in lost]
        write_receipt(connection, to, told, path_of, overwrite=True)
    end(to)
    if lost:
        broken = f"{len(lost):,} files of {store} are not what they should be"
        click.echo(f"pacslake: {broken}; receipt.json names them", err=True)
    return _said(to, found)


def _told(connection: duckdb.DuckDBPyConnection, frozen: Frozen, found: Standing, root: str) -> dict[str, Any]:
    [(version, _)] = connection.execute("SELECT version, format FROM lake_version").fetchall()
    others = connection.execute(_OTHERS).fetchall()
    return {
        "cohort": frozen.cohort,
        "version": frozen.version,
        "definition": json.loads(frozen.definition),
        "frozen_at": frozen.frozen_at.isoformat() + "Z",
        "frozen_from_lake_version": frozen.lake_version,
        "frozen_by": f"pacslake {frozen.program}",
        "written_at": written_now(),
        "written_from_lake_version": version,
        "written_by": f"pacslake {version_of('pacslake')}",
        "root": root,
        "counts": {
            "series": len(found.series),
            "complete_series": len(found.series) - len(found.missing),
            "instances": found.instances,
            "bytes": found.size,
            "missing_instances": sum(one.missing for one in found.missing),
        },
        "missing": [missing_values(one) for one in found.missing],
        "other_bytes": [{"SOPInstanceUID": uid, "path": path, "sha256": digest} for uid, path, digest in others],
        "not_found": frozen.not_found,
        "ambiguous": frozen.ambiguous,
        "open_days": frozen.open_days,
    }


def _said(to: Path, found: Standing) -> Exit:
    missing = found.missing
    lacking = (
        f"; {len(missing):,} series are NOT complete, receipt.json names them" if missing else "; nothing is missing"
    )
    click.echo(f"{to}: {many(found.instances, 'instance')}, {decimal(found.size)}{lacking}", err=True)
    return Exit.PARTIAL if missing else Exit.OK
