"""`pacslake cohort preview`: what a definition would freeze, and what each of its conditions leaves.

Touches: disk, clock, standard output.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import click

import crawler
from crawler.cohort.definition import Definition
from crawler.cohort.found import CHOSEN, FITTING, ambiguous, find, not_found
from crawler.cohort.statement import check_statement, steps_of
from crawler.cohort.totals import Totals, days, totals
from crawler.errors import LakeError
from crawler.lake.answer import interruptibly, plain_errors
from crawler.serve.sql.statement import checked, known_to
from crawler.settings import Settings
from jobs.contents import (
    Contents,
    ambiguous_lines,
    contents_lines,
    contents_of,
    contents_values,
    forecast_lines,
    forecasts,
    indented,
    listed_lines,
)
from jobs.exits import Exit
from jobs.naming import Named, in_words_of
from jobs.phi import policy_of_lake
from jobs.unproven import Unproven, unproven, unproven_lines, unproven_values

if TYPE_CHECKING:
    from crawler.lake.query import Lake


class Stage(NamedTuple):
    """What is left after a condition."""

    what: str
    left: Totals


class Answer(NamedTuple):
    """All that is known of a definition on one version of the lake."""

    contents: Contents
    not_found: list[str]
    ambiguous: list[str]
    unproven: list[Unproven]

    @property
    def exit(self) -> Exit:
        """Say whether something may be missing."""
        missing = self.not_found or self.ambiguous or self.unproven or self.contents.unlisted
        return Exit.PARTIAL if missing else Exit.OK


def examined(lake: Lake, definition: Definition) -> Definition:
    """Give a definition whose SQL may be asked. UserError where it may not, or its parameters do not fit."""
    if definition.sql is None:
        return definition
    with plain_errors():
        statement = checked(lake.connection, definition.sql, known_to(lake.connection)).strip().rstrip(";")
        check_statement(lake, statement, definition.parameters)
    return replace(definition, sql=statement)


def answered(settings: Settings, lake: Lake, definition: Definition) -> Answer:
    """Ask the lake, and leave what is in the cohort in the tables of `crawler.cohort.found`."""
    if definition.pacs is not None:
        settings.require_pacs([definition.pacs])
    interruptibly(lake.connection, lambda: find(lake, definition))
    found = contents_of(lake.connection, CHOSEN)
    doubts = unproven(settings, days(lake.connection, CHOSEN), definition.pacs)
    return Answer(found, not_found(lake), ambiguous(lake), doubts)


def as_given(answer: Answer, named: Named) -> Answer:
    """Give an answer that calls entries as the list did."""
    return answer._replace(not_found=named.back(answer.not_found), ambiguous=named.back(answer.ambiguous))


def show_preview(settings: Settings, definition: Definition, rate: float, *, as_json: bool) -> Exit:
    """Print it; give 3 where something may be missing."""
    with crawler.open_lake(settings.lake.path) as lake:
        named = in_words_of(policy_of_lake(settings), definition)
        definition = examined(lake, named.definition)
        stages = interruptibly(lake.connection, lambda: _attrition(lake, definition))
        answer = answered(settings, lake, definition)
        stages += _last_stages(lake, definition, answer, told_apart=bool(stages))
        answer = as_given(answer, named)
        version = lake.version
    planned = forecasts(settings, answer.contents.loads, rate)
    if as_json:
        values = {
            "lake_version": version,
            "attrition": [{"condition": stage.what, **stage.left._asdict()} for stage in stages],
            **contents_values(answer.contents, planned),
            **answer_values(answer),
        }
        click.echo(json.dumps(values, indent=2, ensure_ascii=False))
    else:
        lines = [*_stage_lines(definition, stages), *contents_lines(answer.contents)]
        lines += [*forecast_lines(settings, planned, rate), "", *answer_lines(answer)]
        click.echo("\n".join(lines))
    return answer.exit


def _attrition(lake: Lake, definition: Definition) -> list[Stage]:
    """Count after each condition but the last; nothing where they cannot be told apart."""
    stages = []
    for step in steps_of(lake, definition.sql, definition.parameters) if definition.sql else ():
        try:
            find(lake, replace(definition, sql=step.statement, parameters=step.parameters))
        except LakeError:  # what a later condition keeps away may be more than the rest can take
            return []
        stages.append(Stage(step.condition or "all that FROM gives", totals(lake.connection, FITTING)))
    return stages


def _last_stages(lake: Lake, definition: Definition, answer: Answer, *, told_apart: bool) -> list[Stage]:
    """Count the whole, where the conditions did not come to it, and what is left when what is ambiguous is not."""
    stages = []
    if not told_apart:
        what = "found of the list" if definition.listed else "the whole statement"
        stages.append(Stage(what, totals(lake.connection, FITTING)))
    if answer.ambiguous and not definition.take_ambiguous:
        stages.append(Stage("one PACS, one patient", answer.contents.totals))
    return stages


def _stage_lines(definition: Definition, stages: list[Stage]) -> Iterator[str]:
    yield from indented(("condition", *Totals._fields), [(stage.what, *stage.left) for stage in stages])
    if definition.sql and stages[0].what == "the whole statement":
        yield "  Conditions are counted one by one where the SQL is one SELECT that WHERE alone narrows, with tables"
        yield "  joined by JOIN … ON or USING."
    yield ""


def answer_values(answer: Answer) -> dict[str, Any]:
    """Give what may be missing as what JSON can hold."""
    return {
        "not_found": answer.not_found,
        "ambiguous": answer.ambiguous,
        "unproven": unproven_values(answer.unproven),
    }


def answer_lines(answer: Answer) -> Iterator[str]:
    """Say what may be missing."""
    yield from listed_lines("not found in the lake", answer.not_found)
    yield from ambiguous_lines(answer.ambiguous)
    yield from unproven_lines(answer.unproven)
