"""`pacslake cohort`: freeze a definition, show what is frozen, drop it. Touches: disk, clock, standard output."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

import click
from rich.filesize import decimal

import crawler
from crawler.cohort.definition import Definition, checked_name
from crawler.cohort.kept import Frozen, drop, freeze, kept, newest
from crawler.cohort.manifest import write_rows
from crawler.errors import UserError
from crawler.export.whole import whole_file
from crawler.lake.answer import interruptibly, plain_errors
from crawler.lake.catalog import open_catalog
from crawler.lake.ledger import naive_utc
from crawler.lake.writer import LakeWriter
from crawler.settings import Settings
from jobs.contents import contents_lines, contents_of, contents_values, forecast_lines, forecasts
from jobs.exits import Exit
from jobs.preview import Answer, answer_lines, answer_values, answered, examined, listed_lines
from jobs.showing import print_table
from jobs.table import visible
from jobs.written import show_written

_NOW = """SELECT count(*) FILTER (WHERE known.SeriesInstanceUID IS NULL),
        count(*) FILTER (WHERE known.NumberOfSeriesRelatedInstances <> expected_instances)
    FROM {rows} AS frozen LEFT JOIN series AS known USING (pacs, SeriesInstanceUID)
    WHERE frozen.SeriesInstanceUID IS NOT NULL"""


def freeze_cohort(settings: Settings, name: str, definition: Definition | None, *, as_json: bool) -> Exit:
    """Freeze a definition, or a known cohort's own one anew; give 3 where something may be missing."""
    checked_name(name)
    path = settings.lake.path
    with LakeWriter.open(path, create=False) as writer, crawler.open_lake(path) as lake:
        before = kept(path, name)
        if definition is None:
            definition = Definition.of(newest(path, name).definition)
        definition = examined(lake, definition)
        answer = answered(settings, lake, definition)
        number = before[-1].version + 1 if before else 1
        frozen = _described(name, number, definition, lake.version, answer)
        freeze(writer, lake, frozen)
    if as_json:
        click.echo(json.dumps({**_values(frozen), **answer_values(answer)}, indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join([_sentence(frozen), *answer_lines(answer)]))
    return answer.exit


def _described(name: str, number: int, definition: Definition, lake_version: int, answer: Answer) -> Frozen:
    found = answer.contents
    known = (definition.kind, definition.as_text(), lake_version, version_of("pacslake"), naive_utc(datetime.now(UTC)))
    open_ends = (found.unlisted, found.uncounted, sum(one.days for one in answer.unproven))
    return Frozen(name, number, *known, *found.totals, *open_ends, answer.not_found, answer.ambiguous)


def list_cohorts(settings: Settings, *, everything: bool, as_json: bool) -> None:
    """Print the newest version of each cohort; all versions, dropped ones too, on request."""
    found = kept(settings.lake.path)
    if not everything:
        last = {one.cohort: one for one in found}
        found = [one for one in last.values() if one.dropped_at is None]
    if as_json:
        click.echo(json.dumps({"cohorts": [_values(one) for one in found]}, indent=2, ensure_ascii=False))
        return
    names = ("cohort", "version", "frozen_at", "patients", "studies", "series", "instances", "open")
    rows = [(*(getattr(one, name) for name in names[:2]), _day(one.frozen_at), *_figures(one)) for one in found]
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
        both = {**_values(frozen), "not_found": frozen.not_found, "ambiguous": frozen.ambiguous, **contents}
        click.echo(json.dumps(both, indent=2, ensure_ascii=False))
        return
    lines = [_sentence(frozen), *_definition_lines(Definition.of(frozen.definition)), "", *contents_lines(found)]
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
    yield from listed_lines("ambiguous, in several PACS or of several patients", frozen.ambiguous)
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
    lines = [_sentence(frozen), *forecast_lines(settings, planned, rate)]
    if gone or other:
        lines.append(f"Since it was frozen {gone:,} series have gone and {other:,} have another number of instances;")
        lines.append(f"  pacslake cohort new {name} freezes it anew.")
    click.echo("\n".join(lines))


def export_cohort(settings: Settings, name: str, number: int | None, wanted: tuple[str, Path, bool]) -> None:
    """Write the rows of a version into a file: `wanted` is the format, the file, and whether to replace it."""
    kind, target, overwrite = wanted
    frozen = newest(settings.lake.path, name, number)
    with (
        crawler.open_lake(settings.lake.path) as lake,
        whole_file(target, overwrite=overwrite) as draft,
        plain_errors(),
        show_written(draft.parent, target.name),
    ):
        rows = interruptibly(lake.connection, lambda: write_rows(lake.sql(frozen.listing), kind, draft))
        size = draft.stat().st_size
    click.echo(f"{target}: {rows:,} rows, {decimal(size)}", err=True)


def drop_cohort(settings: Settings, name: str) -> None:
    """Mark a cohort as dropped. UserError where it already is."""
    path = settings.lake.path
    with LakeWriter.open(path, create=False) as writer:
        frozen = newest(path, name)
        if frozen.dropped_at is not None:
            raise UserError(f"the cohort {name} was dropped already, on {_day(frozen.dropped_at)}")
        drop(writer, name, datetime.now(UTC))
    click.echo(f"pacslake: {name} is dropped; its rows stay, and pacslake cohort list --all shows it", err=True)


def _sentence(frozen: Frozen) -> str:
    counts = ", ".join(f"{getattr(frozen, what):,} {what}" for what in ("patients", "studies", "series", "instances"))
    state = f", dropped on {_day(frozen.dropped_at)}" if frozen.dropped_at else ""
    when = f"frozen on {_day(frozen.frozen_at)} from version {frozen.lake_version} of the lake{state}"
    return f"{frozen.cohort}, version {frozen.version}: {counts}; {when}"


def _values(frozen: Frozen) -> dict[str, Any]:
    """Give the row of `cohorts` as what JSON can hold; of what was not found and is ambiguous the numbers."""
    told = asdict(frozen)
    told["definition"] = json.loads(frozen.definition)
    told |= {name: told[name] and told[name].isoformat() for name in ("frozen_at", "dropped_at")}
    return told | {name: len(told[name]) for name in ("not_found", "ambiguous")}


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
