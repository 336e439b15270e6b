"""What a statement asks a PACS for, about how much that is, and the same for people to read.

Touches: disk, clock, standard output.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import click

from crawler.columns import schema
from crawler.errors import NoLakeError, UserError
from crawler.lake.catalog import ledgers
from crawler.lake.passing import studies_known
from crawler.lake.resume import findings_of
from crawler.live.question import TABLES, Question, read
from crawler.live.requests import Request, below, deepest, study_requests
from crawler.model import HIERARCHY, Level, Model
from crawler.pacs.profile import UID_LISTS, YES, Profile, added, profile_from
from crawler.plan.estimate import cost_of_a_day
from crawler.words import many
from jobs.peers import Called
from jobs.table import render

MOST_STUDIES = 20_000
MOST_QUERIES = 1000
MOST_DAYS = 366
"""What is asked for without --yes: by an estimate, and where nothing tells so many days."""

OWN = ("pacs", "first_seen_at", "changed_at", "removed_at", "sweep_id")
"""Columns that a lake adds to those of a PACS."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """About how much a question asks for; None where nothing tells."""

    queries: int | None
    studies: int | None

    @property
    def words(self) -> str:
        """The same as the end of a sentence."""
        if self.studies is None:
            return "nobody knows how many these are"
        queries = f", {many(self.queries, 'query')}" if self.queries is not None else ""
        return f"about {many(self.studies, 'study')}{queries}"


@dataclass(frozen=True, slots=True)
class Plan:
    """A question, and what it asks a PACS for."""

    question: Question
    requests: Sequence[Request]
    level: Level
    profile: Profile


def plan_of(called: Called, home: Path | None, statement: str) -> Plan:
    """Find out what a statement asks a PACS for, by what is known of it. UserError where --live cannot do it."""
    pacs, name = called.pacs, called.peer.name
    if pacs.model is not Model.STUDY_ROOT:
        raise UserError(f'--live asks by Study Root, and pacs.{name}.model is "{pacs.model.value}"')
    findings = findings_of(home, name) if home else []
    profile = profile_from(findings, pacs.overrides)
    by_lists = any((one.name, one.level, one.value) == (UID_LISTS, Level.STUDY, YES) for one in findings)
    columns = {
        table: (*OWN, *schema(level, added(profile, level)).names)
        for table, level in zip(TABLES, HIERARCHY, strict=True)
    }
    question = read(statement, columns, date.today())
    unusable = profile.unsupported | profile.omit | ({"ModalitiesInStudy"} if profile.study_modality else frozenset())
    requests = study_requests(question, frozenset(unusable), by_lists=by_lists)
    return Plan(question, requests, deepest(question), profile)


def estimate_of(pacs: str, home: Path | None, plan: Plan, request: Request) -> Estimate:
    """Say how much one request asks for, by what the lake knows of this PACS."""
    if request.is_narrow:
        return Estimate(1, None)
    studies = total = studies_known(home, pacs) if home else None
    if request.days.low is not None:
        a_day = _a_day(home, pacs) if home else None
        studies = round(max(0, _days_of(request)) * a_day) if a_day else None
        studies = min(studies, total) if studies is not None and total is not None else studies
    return Estimate(None if plan.level is Level.STUDY else studies, studies)


def _a_day(home: Path, pacs: str) -> float | None:
    """Give how many studies a day with studies has on average; None where that is not known."""
    try:
        cost = cost_of_a_day(ledgers(home)[pacs].rows, [Level.STUDY])
    except (NoLakeError, KeyError):
        return None
    return cost.studies if cost else None


def refuse_too_much(pacs: str, plan: Plan, estimates: Sequence[Estimate]) -> None:
    """UserError where a question asks for the whole archive, or for a large part of it."""
    hint = "name a patient, an order or days (PatientID, AccessionNumber, StudyDate), or add --yes"
    if len(plan.requests) > MOST_QUERIES:
        raise UserError(f"this asks {pacs} {len(plan.requests):,} queries: {hint}")
    for request, estimate in zip(plan.requests, estimates, strict=True):
        if request.is_everything:
            raise UserError(f"this asks {pacs} for all of its studies, {estimate.words}: {hint}")
        is_unknown = estimate.studies is None and not request.is_narrow and _days_of(request) > MOST_DAYS
        if is_unknown or (estimate.studies or 0) > MOST_STUDIES or (estimate.queries or 0) > MOST_QUERIES:
            raise UserError(f"this asks {pacs} for many studies, {estimate.words}: {hint}")


def _days_of(request: Request) -> float:
    """Give how many days a request is about; those to come have few studies."""
    if request.days.low is None:
        return math.inf
    first: date = request.days.low
    return (min(request.days.high or date.today(), date.today()) - first).days + 1


def explain(plan: Plan, estimates: Sequence[Estimate], *, as_json: bool) -> None:
    """Print what a PACS would be asked, and what is left to DuckDB."""
    rows = [
        ("study", " ".join(f"{key}={value}" for key, value in request.keys.items()) or "all studies", estimate)
        for request, estimate in zip(plan.requests, estimates, strict=True)
    ]
    steps = [{"level": level, "keys": keys, "studies": one.studies} for level, keys, one in rows]
    for level in levels_below(plan.level):
        above = "study" if level is Level.SERIES else "series"
        wanted = [one.series if level is Level.IMAGE else one.studies for one in below(plan.question, level)]
        where = " or ".join(dict.fromkeys(one for one in wanted if one)) if all(wanted) else ""
        steps.append(
            {"level": level.value, "keys": f"each {above}{f' where {where}' if where else ''}", "studies": None}
        )
    left = list(dict.fromkeys(one for mention in plan.question.mentions for one in mention.left))
    if as_json:
        click.echo(json.dumps({"requests": steps, "left_to_duckdb": left}, indent=2))
        return
    shown = [(one["level"], one["keys"], "?" if one["studies"] is None else one["studies"]) for one in steps]
    click.echo("\n".join(render(("level", "asked for", "studies"), shown, None)) if shown else "Nothing is asked for.")
    click.echo(f"\nLeft to DuckDB: {'; '.join(left) or 'nothing that would narrow it further'}")
    click.echo("DuckDB runs the whole statement over what comes. Nothing was asked yet.")


def levels_below(deepest: Level) -> tuple[Level, ...]:
    """Give the levels below STUDY that are asked for."""
    return (Level.SERIES, Level.IMAGE)[: HIERARCHY.index(deepest) - 1]
