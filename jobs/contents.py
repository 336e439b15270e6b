"""What is in a cohort and what bringing it would take, in figures. Touches: disk, clock."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich.filesize import decimal

from crawler.cohort.sizes import MEGABYTE, size_of
from crawler.cohort.totals import Load, Share, Totals, loads, open_ends, shares, totals
from crawler.settings import Settings
from jobs.permission import hours_of, manners_of, shown
from jobs.table import Row, render, visible

if TYPE_CHECKING:
    import duckdb

RATE = 10.0
"""Megabytes a second that a PACS sends, until it is known better: an archive on spinning disks, one association."""

SHOWN = 10
"""Entries that a person is shown; JSON has all."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What one PACS will be asked for, and when it will be done."""

    pacs: str
    requests: int
    """One for each series, and for each study whose series are not known."""
    instances: int
    size: float
    """Bytes, estimated."""
    seconds: float
    """At its limits, within its hours."""
    begins: datetime | None
    """None where it never may be asked, or is in the settings no more."""
    ends: datetime | None


@dataclass(frozen=True, slots=True)
class Contents:
    """What a cohort has."""

    totals: Totals
    unlisted: int
    uncounted: int
    modalities: list[Share]
    years: list[Share]
    loads: list[Load]


def contents_of(connection: duckdb.DuckDBPyConnection, rows: str) -> Contents:
    """Count the rows of a cohort."""
    by_modality, by_year = (shares(connection, rows, by) for by in ("Modality", "year(StudyDate)"))
    return Contents(
        totals(connection, rows), *open_ends(connection, rows), by_modality, by_year, loads(connection, rows)
    )


def forecasts(settings: Settings, found: Sequence[Load], rate: float) -> list[Forecast]:
    """Say for each PACS how long it takes at so many megabytes a second."""
    return [_forecast(settings, pacs, list(mine), rate) for pacs, mine in groupby(found, lambda load: load.pacs)]


def _forecast(settings: Settings, pacs: str, mine: list[Load], rate: float) -> Forecast:
    requests, instances = sum(load.requests for load in mine), sum(load.instances for load in mine)
    size = size_of(mine)
    seconds = size / (rate * MEGABYTE)
    begins: datetime | None = None
    ends: datetime | None = None
    if pacs in settings.pacs:
        seconds = manners_of(settings, pacs).lasting(requests, seconds)
        hours, now = hours_of(settings, pacs), datetime.now(UTC)
        begins = hours.next_allowed(now) if hours else now
        if begins is not None:
            ends = hours.lasting_until(begins, seconds) if hours else begins + timedelta(seconds=seconds)
    return Forecast(pacs, requests, instances, size, seconds, begins, ends)


def contents_values(found: Contents, planned: Sequence[Forecast]) -> dict[str, Any]:
    """Give it as what JSON can hold."""
    return {
        **found.totals._asdict(),
        "unlisted_studies": found.unlisted,
        "uncounted_rows": found.uncounted,
        "estimated_bytes": round(size_of(found.loads)),
        "modalities": {one.name: _counts(one) for one in found.modalities},
        "years": {one.name: _counts(one) for one in found.years},
        "pacs": [_forecast_values(one) for one in planned],
    }


def _counts(one: Share) -> dict[str, int]:
    return {"studies": one.studies, "series": one.series, "instances": one.instances}


def _forecast_values(one: Forecast) -> dict[str, Any]:
    return {
        "pacs": one.pacs,
        "requests": one.requests,
        "instances": one.instances,
        "estimated_bytes": round(one.size),
        "seconds": math.ceil(one.seconds),
        "begins": one.begins.astimezone(UTC).isoformat(timespec="seconds") if one.begins else None,
        "ends": one.ends.astimezone(UTC).isoformat(timespec="seconds") if one.ends else None,
    }


def contents_lines(found: Contents) -> Iterator[str]:
    """Show modalities and years to a person, and what is not known."""
    for name, parts in (("modality", found.modalities), ("year", found.years)):
        yield from indented((name, "studies", "series", "instances"), [tuple(one) for one in parts])
        yield ""
    if found.unlisted:
        yield f"{found.unlisted:,} studies have no series in the lake: pacslake sweep --level series asks for them."
    if found.uncounted:
        yield f"{found.uncounted:,} series have no known number of instances: pacslake sweep --level image counts them."


def forecast_lines(settings: Settings, planned: Sequence[Forecast], rate: float) -> Iterator[str]:
    """Show size and time to a person, and what they were estimated from."""
    rows = [
        (one.pacs, one.requests, one.instances, decimal(round(one.size)), _time(one), _end(settings, one))
        for one in planned
    ]
    yield from indented(("pacs", "requests", "instances", "about", "h:mm:ss", "done by"), rows)
    yield "  Estimated, since C-FIND tells no sizes: uncompressed instances as they usually are in each modality, at"
    yield f"  {rate:g} MB/s (--rate), within the limits and hours of each PACS."


def _time(one: Forecast) -> str:
    return str(timedelta(seconds=math.ceil(one.seconds)))


def _end(settings: Settings, one: Forecast) -> str:
    if one.pacs not in settings.pacs:
        return "not in pacslake.toml"
    return shown(settings, one.ends) if one.ends else "not within the hours of a year"


def indented(columns: Sequence[str], rows: Sequence[Row]) -> Iterator[str]:
    """Give a table, two spaces from the left."""
    yield from (f"  {line}" for line in render(columns, rows, None))


def ambiguous_lines(entries: list[str]) -> Iterator[str]:
    """Name what stands for several things, and say how one of them is meant."""
    if entries:
        yield from listed_lines("ambiguous, in several PACS or of several patients", entries)
        yield "  --pacs NAME takes what that PACS has alone, --take-ambiguous all of it"


def listed_lines(what: str, entries: list[str]) -> Iterator[str]:
    """Name the first of some entries."""
    if entries:
        more = f" and {len(entries) - SHOWN:,} more (--format json)" if len(entries) > SHOWN else ""
        yield f"{len(entries):,} {what}: {', '.join(map(visible, entries[:SHOWN]))}{more}"
