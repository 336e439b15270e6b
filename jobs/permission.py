"""Whether a PACS may be asked at all: not while the kill switch is there, while it is paused, or outside its hours.

Touches: disk, clock, standard error.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import click

from crawler.errors import NotNowError
from crawler.lake.standing import StandingFile, Values
from crawler.plan.hours import Hours
from crawler.plan.polite import Manners
from crawler.settings import Settings
from jobs.gate import Gate

LOOK_EVERY = 0.5
SAVE_EVERY = 10
"""Looks from one time that what was learned is kept to the next."""


class Closed(NamedTuple):
    """Why a PACS may not be asked, and when it may again; None where no clock knows."""

    why: str
    until: datetime | None = None
    by_hours: bool = False
    """Whether `--now` helps."""


def hours_of(settings: Settings, name: str) -> Hours | None:
    """Give the hours of a PACS; None when it may be asked at any."""
    allowed = settings.pacs[name].allowed_hours
    if allowed is None:
        return None
    zone, holidays = ZoneInfo(settings.local.time_zone), frozenset(settings.local.holidays)
    return Hours(zone, allowed.week, allowed.holidays, holidays)


def manners_of(settings: Settings, name: str) -> Manners:
    """Give what a PACS may be asked at most."""
    pacs = settings.pacs[name]
    return Manners(pacs.max_queries_per_minute, pacs.duty_cycle)


def gate_of(settings: Settings, name: str) -> Gate:
    """Make the gate through which a PACS is asked."""
    kept = StandingFile(settings.lake.path, name)
    gate = Gate(name, manners_of(settings, name), hours_of(settings, name), kept)

    def say_closed() -> str | None:
        found = closed(settings, name, datetime.now(UTC))
        return said(settings, found) if found else None

    gate.say_closed = say_closed
    return gate


def closed(settings: Settings, name: str, moment: datetime) -> Closed | None:
    """Say why a PACS may not be asked at a moment; None when it may."""
    if is_switched_off(settings):
        return Closed(f"the kill switch {settings.local.kill_switch} is there; delete it to go on")
    pause = StandingFile(settings.lake.path, name).pause
    until = until_of(pause)
    if pause is not None and (until is None or moment < until):
        reason = f" ({pause['reason']})" if pause.get("reason") else ""
        more = "" if until else f"; `pacslake pacs resume {name}` ends that"
        return Closed(f"it is paused{reason}{more}", until)
    hours = hours_of(settings, name)
    if hours is not None and not hours.allow(moment):
        return Closed("it is outside its allowed hours", hours.next_allowed(moment), by_hours=True)
    return None


def is_switched_off(settings: Settings) -> bool:
    """Whether nothing may be asked anywhere."""
    switch = settings.local.kill_switch
    return switch is not None and switch.exists()


def until_of(pause: Values | None) -> datetime | None:
    """Give when a pause ends; None when a person has to end it."""
    try:
        return datetime.fromisoformat(pause["until"]) if pause else None
    except (KeyError, TypeError, ValueError):
        return None


def said(settings: Settings, found: Closed) -> str:
    """Put it as the end of a sentence, with the site's time of its end."""
    return f"{found.why}, until {shown(settings, found.until)}" if found.until else found.why


def shown(settings: Settings, moment: datetime) -> str:
    """Give a moment by the site's clock."""
    zone = settings.local.time_zone
    return f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} ({zone})"


def admitted(settings: Settings, names: Iterable[str]) -> tuple[str, ...]:
    """Give those PACS that may be asked now, and name the others. NotNowError when there is none."""
    now = datetime.now(UTC)
    found = {name: closed(settings, name, now) for name in names}
    sentences = [f"{name} may not be asked now: {said(settings, one)}" for name, one in found.items() if one]
    open_now = tuple(name for name, one in found.items() if one is None)
    if sentences and not open_now:
        hint = ". With --now it is asked all the same" if any(one and one.by_hours for one in found.values()) else ""
        raise NotNowError("; ".join(sentences) + hint)
    for sentence in sentences:
        click.echo(f"pacslake: {sentence}. It is left out.", err=True)
    return open_now


def regardless_of_hours(settings: Settings, names: Iterable[str]) -> Settings:
    """Give the settings without allowed hours, after a warning where these are over: a person takes it upon himself."""
    settings.require_pacs(names)
    for name in names or settings.pacs:
        found = closed(settings, name, datetime.now(UTC))
        if found and found.by_hours:
            click.echo(f"pacslake: {name} is asked although {said(settings, found)}, because of --now", err=True)
    open_always = {name: pacs.model_copy(update={"allowed_hours": None}) for name, pacs in settings.pacs.items()}
    return settings.model_copy(update={"pacs": open_always})


@asynccontextmanager
async def watching(settings: Settings, gates: Mapping[str, Gate]) -> AsyncIterator[None]:
    """Close the gates of PACS that may not be asked any longer, while the block runs, and keep what is learned."""
    watch = asyncio.create_task(_watch(settings, gates))
    try:
        yield
    finally:
        watch.cancel()
        await asyncio.wait([watch])
        for gate in gates.values():
            gate.shared.save()


async def _watch(settings: Settings, gates: Mapping[str, Gate]) -> None:
    looks = 0
    while True:
        await asyncio.sleep(LOOK_EVERY)
        looks += 1
        for gate in gates.values():
            gate.shared.refresh()
            why = None if gate.stopping.is_set() else gate.say_closed()
            if why is not None:
                gate.stop(why)
            if looks % SAVE_EVERY == 0:
                gate.shared.save()
