"""`pacslake cohort`: freeze a definition, export it, drop it. Touches: disk, clock, standard output and error."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib.metadata import version as version_of
from pathlib import Path

import click
from rich.filesize import decimal

import crawler
from crawler.cohort.definition import Definition, checked_name
from crawler.cohort.frozen import Frozen, kept, newest
from crawler.cohort.kept import drop, freeze, has_same_rows
from crawler.cohort.manifest import write_rows
from crawler.errors import UserError
from crawler.export.whole import whole_file
from crawler.lake.answer import interruptibly, plain_errors
from crawler.lake.ledger import naive_utc
from crawler.lake.writer import LakeWriter
from crawler.settings import Settings
from crawler.words import many
from jobs.cohorts import day_of, sentence, values_of
from jobs.exits import Exit
from jobs.naming import Named, in_words_of
from jobs.phi import open_writer, policy_of_lake
from jobs.preview import Answer, answer_lines, answer_values, answered, as_given, examined
from jobs.written import show_written


def freeze_cohort(settings: Settings, name: str, definition: Definition | None, *, as_json: bool) -> Exit:
    """Freeze a definition, or a known cohort's own one anew; give 3 where something may be missing."""
    checked_name(name)
    path = settings.lake.path
    policy = policy_of_lake(settings)
    with open_writer(path, policy, create=False) as writer, crawler.open_lake(path) as lake:
        if definition is None:
            named = Named(Definition.of(newest(path, name).definition))
        else:
            named = in_words_of(policy, definition)
        definition = examined(lake, named.definition)
        answer = answered(settings, lake, definition)
        frozen = _described(name, _last(settings, name), definition, lake.version, answer)
        freeze(writer, lake, frozen)
    answer = as_given(answer, named)
    if as_json:
        click.echo(json.dumps({**values_of(frozen), **answer_values(answer)}, indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join([sentence(frozen), *answer_lines(answer)]))
    return answer.exit


def refreeze(settings: Settings, name: str, definition: Definition) -> tuple[Frozen, bool]:
    """Give the newest version of a cohort, and whether it was frozen now: where the lake has other rows for it.

    One that was dropped is given as it is.
    """
    checked_name(name)
    path = settings.lake.path
    with open_writer(path, policy_of_lake(settings), create=False) as writer, crawler.open_lake(path) as lake:
        last = _last(settings, name)
        if last is not None and last.dropped_at is not None:
            return last, False
        definition = examined(lake, definition)
        answer = answered(settings, lake, definition)
        if last is not None and last.definition == definition.as_text() and has_same_rows(lake, last):
            return last, False
        frozen = _described(name, last, definition, lake.version, answer)
        freeze(writer, lake, frozen)
        return frozen, True


def _last(settings: Settings, name: str) -> Frozen | None:
    return next(reversed(kept(settings.lake.path, name)), None)


def _described(name: str, last: Frozen | None, definition: Definition, lake_version: int, answer: Answer) -> Frozen:
    """Describe the version that follows the `last` one."""
    number = last.version + 1 if last else 1
    found = answer.contents
    known = (definition.kind, definition.as_text(), lake_version, version_of("pacslake"), naive_utc(datetime.now(UTC)))
    open_ends = (found.unlisted, found.uncounted, sum(one.days for one in answer.unproven))
    return Frozen(name, number, *known, *found.totals, *open_ends, answer.not_found, answer.ambiguous)


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
    click.echo(f"{target}: {many(rows, 'row')}, {decimal(size)}", err=True)


def drop_cohort(settings: Settings, name: str) -> None:
    """Mark a cohort as dropped. UserError where it already is."""
    path = settings.lake.path
    with LakeWriter.open(path, create=False) as writer:
        frozen = newest(path, name)
        if frozen.dropped_at is not None:
            raise UserError(f"the cohort {name} was dropped already, on {day_of(frozen.dropped_at)}")
        drop(writer, name, datetime.now(UTC))
    click.echo(f"pacslake: {name} is dropped; its rows stay, and pacslake cohort list --all shows it", err=True)
