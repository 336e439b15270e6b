"""`pacslake plan`: what the next night will ask each PACS, and how long that takes at its limits, within its hours.

Touches: disk, clock, standard output.
"""

from __future__ import annotations

import json
import math
import socket
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import click

from crawler.errors import NoLakeError, UserError
from crawler.lake.catalog import Ledger, ledgers
from crawler.model import Coverage, Level
from crawler.plan.days import Days
from crawler.plan.estimate import cost_of, cost_of_a_day, queries_of_a_day
from crawler.settings import Settings, nearest
from jobs.ledger import UNCHANGED
from jobs.levels import levels_of
from jobs.nightly import NIGHTS, Night, again
from jobs.permission import hours_of, manners_of, shown
from jobs.standing import missing_of
from jobs.table import render

LOOKBACK = 7
"""Days that a night looks back where no job says how many."""


@dataclass(frozen=True, slots=True)
class Part:
    """Something that will be asked for."""

    what: str
    queries: dict[Level, float]
    seconds: float
    """One query after the other, as earlier ones took."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One night at one PACS."""

    pacs: str
    job: str | None
    begins: datetime | None
    """None when no clock begins it, or its hours never do."""
    parts: list[Part] = field(default_factory=list)
    seconds: float = 0.0
    """How long it takes at the limits of the PACS."""
    ends: datetime | None = None
    """None when the hours of more than a year do not suffice."""
    is_known: bool = True
    """Whether earlier answers tell how much it will be."""


def show_plan(settings: Settings, name: str | None, *, as_json: bool) -> None:
    """Print the plan of a job, of a PACS, or of every job that sweeps; of every PACS where there is none."""
    if as_json:
        click.echo(json.dumps(plan_values(settings, name), indent=2))
    else:
        found = _plans(settings, name, datetime.now(UTC))
        click.echo("\n".join(line for plan in found for line in (*_as_lines(settings, plan), ""))[:-1])
        for one in missing_of(settings):
            words = f"{one.series:,} series, {one.instances:,} instances as far as they are counted"
            click.echo(f"\nThen images of {one.cohort} from {one.pacs}: {words}.")
            click.echo(f"  pacslake cohort plan {one.cohort} says how long that takes.")


def plan_values(settings: Settings, name: str | None = None) -> dict[str, Any]:
    """Give the same plans as what JSON can hold."""
    plans = [_as_values(plan) for plan in _plans(settings, name, datetime.now(UTC))]
    return {"plans": plans, "images": [asdict(one) for one in missing_of(settings)]}


def _plans(settings: Settings, name: str | None, now: datetime) -> Iterator[Plan]:
    try:
        known = ledgers(settings.lake.path)
    except NoLakeError:
        known = {}
    for job, night in _nights(settings, name):
        for pacs in night.pacs or tuple(settings.pacs):
            begin = _next_slot(settings, job, now) if job else now
            yield _plan(settings, pacs, (job, night, begin), known.get(pacs))


def _nights(settings: Settings, name: str | None) -> Iterator[tuple[str | None, Night]]:
    """Give the nights that are meant, each with the job that it belongs to."""
    sweeps = {job: Night.of(told) for job, told in settings.jobs.items() if told.kind in ("sweep", "reconcile")}
    if name in sweeps:
        yield name, sweeps[name]
    elif name in settings.pacs or (name is None and not sweeps):
        yield None, Night((name,) if name else (), LOOKBACK, NIGHTS)
    elif name is None:
        yield from sweeps.items()
    else:
        raise UserError(
            f"there is no PACS and no job that sweeps named {name!r}{nearest(name, (*sweeps, *settings.pacs))}"
        )


def _next_slot(settings: Settings, job: str, now: datetime) -> datetime | None:
    from jobs.scheduler import schedules

    zone = ZoneInfo(settings.local.time_zone)
    [schedule] = schedules({job: settings.jobs[job]}, zone, socket.gethostname())
    slot = schedule.next_after(now)
    return slot + schedule.delay if slot else None


def _plan(
    settings: Settings, name: str, tonight: tuple[str | None, Night, datetime | None], known: Ledger | None
) -> Plan:
    job, night, begin = tonight
    pacs, hours = settings.pacs[name], hours_of(settings, name)
    if hours is not None and begin is not None:
        begin = hours.next_allowed(begin)
    if known is None or begin is None:
        return Plan(name, job, begin, is_known=False)
    levels = levels_of(pacs.model, pacs.levels, night.deepest)
    parts = list(_parts(settings, name, night, known))
    queries = sum(sum(part.queries.get(level, 0.0) for level in levels) for part in parts)
    busy = sum(part.seconds for part in parts) / pacs.max_associations
    seconds = manners_of(settings, name).lasting(queries, busy)
    ends = begin + timedelta(seconds=seconds) if hours is None else hours.lasting_until(begin, seconds)
    return Plan(name, job, begin, parts, seconds, ends, is_known=cost_of_a_day(known.rows, levels) is not None)


def _like_a_night(rows: Sequence[Coverage]) -> Sequence[Coverage]:
    """Give the answers to go by: those of nights, which leave what is unchanged alone, where there were any."""
    nights = {(row.window, row.sweep_id) for row in rows if (row.reason or "").startswith(UNCHANGED)}
    return [row for row in rows if (row.window, row.sweep_id) in nights] or rows


def _parts(settings: Settings, name: str, night: Night, known: Ledger) -> Iterator[Part]:
    pacs, today, rows = settings.pacs[name], date.today(), _like_a_night(known.rows)
    levels = levels_of(pacs.model, pacs.levels, night.deepest)
    a_day, by_level = cost_of_a_day(rows, levels), queries_of_a_day(rows, levels)
    since = today - timedelta(days=night.lookback) if night.lookback else None

    def part(what: str, days: Days) -> Part:
        if a_day is None:
            return Part(what, {levels[0]: 1.0}, 0.0)
        cost = cost_of(days, a_day)
        share = cost.queries / a_day.queries
        asked = {level: queries * share for level, queries in by_level.items()}
        return Part(what, asked | {levels[0]: max(1.0, asked[levels[0]])}, cost.seconds)

    if since:
        yield part(f"from {since}", Days(since.toordinal(), today.toordinal()))
    for request, what in again(settings, name, night, since, known) if night.reconcile else ():
        if request.date_from is None or request.date_to is None:
            yield Part(what, {levels[0]: 1.0}, a_day.seconds / a_day.queries if a_day else 0.0)
        else:
            yield part(f"again {what}", Days(request.date_from.toordinal(), request.date_to.toordinal()))


def _total(plan: Plan) -> dict[Level, int]:
    levels = dict.fromkeys(level for part in plan.parts for level in part.queries)
    return {level: math.ceil(sum(part.queries.get(level, 0.0) for part in plan.parts)) for level in levels}


def _as_values(plan: Plan) -> dict[str, Any]:
    """Give a plan as what JSON can hold; moments are in UTC."""
    return {
        "pacs": plan.pacs,
        "job": plan.job,
        "known": plan.is_known,
        "begins": plan.begins.astimezone(UTC).isoformat(timespec="seconds") if plan.begins else None,
        "ends": plan.ends.astimezone(UTC).isoformat(timespec="seconds") if plan.ends else None,
        "seconds": math.ceil(plan.seconds),
        "queries": {level.value: count for level, count in _total(plan).items()},
        "parts": [
            {"what": part.what, "queries": {level.value: math.ceil(count) for level, count in part.queries.items()}}
            for part in plan.parts
        ],
    }


def _as_lines(settings: Settings, plan: Plan) -> Iterator[str]:
    yield f"{plan.pacs}, {f'job {plan.job}' if plan.job else 'a night'}"
    if plan.begins is None:
        yield "  It never begins: no hour is allowed, or no day of the job comes any more."
        return
    if not plan.parts:
        yield f"  It was never asked, so nothing tells how long a night takes; type: pacslake sweep {plan.pacs}"
        return
    total = _total(plan)
    rows = [(part.what, *(math.ceil(part.queries.get(level, 0.0)) for level in total)) for part in plan.parts]
    yield from (f"  {line}" for line in render(("asked for", *(level.value for level in total)), rows, None))
    length = timedelta(seconds=math.ceil(plan.seconds))
    end = f"to {shown(settings, plan.ends)}" if plan.ends else "and does not end within the hours of a year"
    yield f"  About {sum(total.values()):,} queries in {length} (h:mm:ss), going by earlier answers and today's limits:"
    yield f"  from {shown(settings, plan.begins)} {end}."
