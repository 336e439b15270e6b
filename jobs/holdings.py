"""`pacslake cohort status`: what of a cohort is here, and what is missing. Touches: disk, standard output and error."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import click
from rich.filesize import decimal

from crawler.cohort.frozen import Frozen, newest
from crawler.lake.catalog import open_catalog
from crawler.retrieve.readback import TOLD, Flaw, Look, Told, examine_size, examined
from crawler.retrieve.standing import Series, Standing, forget, gather, standing
from crawler.settings import Settings
from crawler.words import many
from jobs.cohorts import sentence
from jobs.contents import indented
from jobs.counting import counted
from jobs.exits import Exit
from jobs.table import visible

if TYPE_CHECKING:
    import duckdb

SHOWN = 20
"""Series with something missing that a person is shown; JSON names all, and their instances."""
_FILES = f"SELECT {', '.join(TOLD)} FROM here ORDER BY path"
_BATCH = 10_000


def show_standing(settings: Settings, name: str, number: int | None, *, check: bool, as_json: bool) -> Exit:
    """Print how a cohort stands; give 3 while anything is missing."""
    frozen = newest(settings.lake.path, name, number)
    with open_catalog(settings.lake.path) as connection:
        gather(connection, frozen.rows)
        if check:
            lost_files(connection, partial(examine_size, settings.local.store_path))
        found = standing(connection)
    if as_json:
        click.echo(json.dumps(standing_values(frozen, found), indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join([sentence(frozen), *_lines(found)]))
    return Exit.PARTIAL if found.missing else Exit.OK


def files_of(connection: duckdb.DuckDBPyConnection) -> Iterator[Told]:
    """Give the files that were gathered."""
    answer = connection.execute(_FILES)
    while batch := answer.fetchmany(_BATCH):
        yield from (Told(*row) for row in batch)


def looked_at(connection: duckdb.DuckDBPyConnection, look: Look) -> Iterator[tuple[Told, Flaw | None]]:
    """Look at each file that was gathered, counting them on the terminal."""
    [(total,)] = connection.execute("SELECT count(*) FROM here").fetchall()
    return counted(examined(files_of(connection), look), total, "files")


def lost_files(connection: duckdb.DuckDBPyConnection, look: Look) -> list[tuple[Told, Flaw]]:
    """Look at each file that was gathered, forget those that are not what they should be, and give these."""
    lost = [(told, flaw) for told, flaw in looked_at(connection, look) if flaw is not None]
    forget(connection, [told.path for told, _ in lost])
    return lost


def standing_values(frozen: Frozen, found: Standing) -> dict[str, Any]:
    """Give it as what JSON can hold."""
    return {
        "cohort": frozen.cohort,
        "version": frozen.version,
        "complete": not found.missing,
        "series": len(found.series),
        "instances": found.instances,
        "bytes": found.size,
        "other_bytes": found.others,
        "missing_instances": sum(one.missing for one in found.missing),
        "states": {state: {"series": series, "instances": here} for state, series, here, _ in _states(found)},
        "missing": [missing_values(one) for one in found.missing],
    }


def missing_values(one: Series) -> dict[str, Any]:
    """Give a series that is not whole as what JSON can hold."""
    return {
        "pacs": one.pacs,
        "StudyInstanceUID": one.study_uid,
        "SeriesInstanceUID": one.series_uid,
        "state": one.state.value,
        "reason": one.reason,
        "expected_instances": one.expected,
        "here": one.here,
        "missing": one.missing,
        "missing_instances": list(one.lacking),
    }


def _states(found: Standing) -> Iterator[tuple[str, int, int, int]]:
    """Give for each state the number of series, of their instances here and of those missing."""
    series = Counter(one.state for one in found.series)
    for state in series:
        mine = [one for one in found.series if one.state is state]
        yield state.value, len(mine), sum(one.here for one in mine), sum(one.missing for one in mine)


def _lines(found: Standing) -> Iterator[str]:
    yield f"{found.instances:,} instances are here, {decimal(found.size)}"
    if found.others:
        yield f"Other bytes of {found.others:,} came too and are kept beside; a receipt names them (other_bytes)."
    yield ""
    yield from indented(("state", "series", "here", "missing"), list(_states(found)))
    yield ""
    missing = found.missing
    if not missing:
        yield "All of it is here."
        return
    count = sum(one.missing for one in missing)
    yield f"Missing: {many(count, 'instance')} known of, in {len(missing):,} series"
    for one in missing[:SHOWN]:
        of = "" if one.expected is None else f" of {one.expected:,}"
        uid = one.series_uid or f"study {one.study_uid}"
        yield f"  {visible(one.pacs)}  {visible(uid)}  {one.state}, {one.here:,}{of} here: {visible(one.reason or '')}"
    if len(missing) > SHOWN:
        yield f"  and {len(missing) - SHOWN:,} more; --format json names all, and their instances"
