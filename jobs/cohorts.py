"""`pacslake cohort`: show what is frozen, and what bringing it would take. Touches: disk, clock, standard output."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click

from crawler.cohort.definition import Definition
from crawler.cohort.frozen import Frozen, kept, newest
from crawler.lake.catalog import open_catalog
from crawler.settings import Settings
from jobs.contents import (
    ambiguous_lines,
    contents_lines,
    contents_of,
    contents_values,
    forecast_lines,
    forecasts,
    listed_lines,
)
from jobs.showing import print_table
from jobs.table import visible

_NOW = """SELECT count(*) FILTER (WHERE known.SeriesInstanceUID IS NULL),
        count(*) FILTER (WHERE known.NumberOfSeriesRelatedInstances <> expected_instances)
    FROM {rows} AS frozen LEFT JOIN series AS known USING (pacs, SeriesInstanceUID)
    WHERE frozen.SeriesInstanceUID IS NOT NULL"""


def list_cohorts(settings: Settings, *, everything: bool, as_json: bool) -> None:
    """Print the newest version of each cohort; all versions, dropped ones too, on request."""
    found = kept(settings.lake.path)
    if not everything:
        last = {one.cohort: one for one in found}
        found = [one for one in last.values() if one.dropped_at is None]
    if as_json:
        click.echo(json.dumps({"cohorts": [values_of(one) for one in found]}, indent=2, ensure_ascii=False))
        return
    names = ("cohort", "version", "frozen_at", "patients", "studies", "series", "instances", "open")
    rows = [(*(getattr(one, name) for name in names[:2]), day_of(one.frozen_at), *_figures(one)) for one in found]
    print_table(names, rows, "There is no cohort; `pacslake cohort new` makes one.")


def _figures(one: Frozen) -> tuple[int | str, ...]:
    return one.patients, one.studies, one.series, one.instances, "dropped" if one.dropped_at else _open_ends(one)


def _open_ends(one: Frozen) -> str:
    counts = {"not found": len(one.not_found), "ambiguous": len(one.ambiguous), "days": one.open_days}
    return ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)


def show_cohort(settings: Settings, name: str, number: int | None, *, as_json: bool) -> None:
    """Print one version of a cohort: its definition, what is in it, what may be missing."""
    frozen = newest(settings.lake.path, name, number)
    with open_catalog(settings.lake.path) as connection:
        found = contents_of(connection, frozen.rows)
    if as_json:
        contents = contents_values(found, ())
        del contents["pacs"]
        both = {**values_of(frozen), "not_found": frozen.not_found, "ambiguous": frozen.ambiguous, **contents}
        click.echo(json.dumps(both, indent=2, ensure_ascii=False))
        return
    lines = [sentence(frozen), *_definition_lines(Definition.of(frozen.definition)), "", *contents_lines(found)]
    click.echo("\n".join([*lines, *_missing_lines(frozen)]))


def _definition_lines(definition: Definition) -> Iterator[str]:
    if definition.listed:
        yield f"A list of {len(definition.listed.rows):,} lines by {', '.join(definition.listed.columns)}"
    else:
        yield visible(" ".join((definition.sql or "").split()))
    yield from (f"  ${name} = {visible(value)}" for name, value in definition.parameters.items())
    if definition.pacs:
        yield f"  of {definition.pacs} alone"
    if definition.take_ambiguous:
        yield "  with what is ambiguous"


def _missing_lines(frozen: Frozen) -> Iterator[str]:
    yield from listed_lines("not found in the lake", frozen.not_found)
    yield from ambiguous_lines(frozen.ambiguous)
    if frozen.open_days:
        yield f"{frozen.open_days:,} days of it were not proven complete when it was frozen: studies may be missing."
        yield "  pacslake backfill asks for them; then freeze it anew:"
        yield f"      pacslake cohort new {frozen.cohort}"
    else:
        yield "All days of it were proven complete when it was frozen."


def show_plan_of(settings: Settings, name: str, rate: float, *, as_json: bool) -> None:
    """Print what bringing a cohort would ask of each PACS, and what has changed since it was frozen."""
    frozen = newest(settings.lake.path, name)
    with open_catalog(settings.lake.path) as connection:
        found = contents_of(connection, frozen.rows)
        [(gone, other)] = connection.execute(_NOW.format(rows=frozen.rows)).fetchall()
    planned = forecasts(settings, found.loads, rate)
    if as_json:
        pacs = contents_values(found, planned)["pacs"]
        values = {"cohort": name, "version": frozen.version, "pacs": pacs, "gone": gone, "changed": other}
        click.echo(json.dumps(values, indent=2, ensure_ascii=False))
        return
    lines = [sentence(frozen), *forecast_lines(settings, planned, rate)]
    if gone or other:
        lines.append(f"Since it was frozen {gone:,} series have gone and {other:,} have another number of instances;")
        lines.append(f"  pacslake cohort new {name} freezes it anew.")
    click.echo("\n".join(lines))


def sentence(frozen: Frozen) -> str:
    """Say in one line what a version is."""
    counts = ", ".join(f"{getattr(frozen, what):,} {what}" for what in ("patients", "studies", "series", "instances"))
    state = f", dropped on {day_of(frozen.dropped_at)}" if frozen.dropped_at else ""
    when = f"frozen on {day_of(frozen.frozen_at)} from version {frozen.lake_version} of the lake{state}"
    return f"{frozen.cohort}, version {frozen.version}: {counts}; {when}"


def values_of(frozen: Frozen) -> dict[str, Any]:
    """Give the row of `cohorts` as what JSON can hold; of what was not found and is ambiguous the numbers."""
    told = asdict(frozen)
    told["definition"] = json.loads(frozen.definition)
    told |= {name: told[name] and told[name].isoformat() for name in ("frozen_at", "dropped_at")}
    return told | {name: len(told[name]) for name in ("not_found", "ambiguous")}


def day_of(moment: datetime) -> str:
    """Write a moment of the lake for a person."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"
