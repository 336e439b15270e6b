"""`pacslake pacs`: show how it stands with each PACS, keep everybody from asking one, let them ask again.

Touches: disk, clock, standard output and error.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import click

from crawler.errors import UserError
from crawler.lake.standing import StandingFile
from crawler.plan.polite import Politeness, Standing
from crawler.settings import Settings
from jobs.permission import closed, gate_of, manners_of, said, shown
from jobs.table import render


def list_pacs(settings: Settings, *, as_json: bool) -> None:
    """Print each PACS with its limits, and whether it may be asked now."""
    if as_json:
        from jobs.reports import LakeReports

        click.echo(LakeReports(lambda: settings).health().model_dump_json(indent=2))
        return
    found = pacs_values(settings, datetime.now(UTC))
    rows = [(one["pacs"], f"{one['host']}:{one['port']}", one["now"], _limits(one["limits"])) for one in found]
    click.echo(
        "\n".join(render(("pacs", "address", "now", "limits"), rows, None)) if rows else "No PACS is configured."
    )


def pacs_values(settings: Settings, now: datetime) -> list[dict[str, Any]]:
    """Give what is known of each PACS without the lake."""
    return [_values(settings, name, now) for name in settings.pacs]


def pause(settings: Settings, name: str, until: datetime | None, reason: str) -> str:
    """Have a PACS left alone until a moment, or until it is resumed; say what that means. UserError."""
    settings.require_pacs([name])
    now = datetime.now(UTC)
    if until is not None and until <= now:
        raise UserError(f"--until {shown(settings, until)} is past")
    words = {"until": until.isoformat() if until else None, "reason": reason, "since": now.isoformat()}
    StandingFile(settings.lake.path, name).set_pause(words)
    end = f"until {shown(settings, until)}" if until else f"until `pacslake pacs resume {name}`"
    return f"{name} is paused {end}; a sweep that is asking it ends within seconds"


def resume(settings: Settings, name: str) -> str:
    """Let a PACS be asked again: end its pause, and what its breaker still makes us wait; say how it stands then."""
    settings.require_pacs([name])
    kept = StandingFile(settings.lake.path, name)
    kept.set_pause(None)
    gate_of(settings, name).shared.forget_failures()
    found = closed(settings, name, datetime.now(UTC))
    more = f", but may not be asked yet: {said(settings, found)}" if found else ""
    return f"{name} is not paused any more{more}"


def moment_of(settings: Settings, text: str) -> datetime:
    """Read `06:00` as the next time that the site's clock shows it; else a day or a moment in its time. UserError."""
    zone = ZoneInfo(settings.local.time_zone)
    now = datetime.now(zone)
    try:
        clock = time.fromisoformat(text) if ":" in text[:3] else None
        moment = datetime.fromisoformat(text) if clock is None else datetime.combine(now.date(), clock)
    except ValueError:
        raise UserError(f"--until must be a time or a moment, as 06:00 or '2026-03-30 06:00', not {text!r}") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    if clock is not None and moment <= now:
        moment = (moment.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=zone)
    return moment.astimezone(UTC)


def _values(settings: Settings, name: str, now: datetime) -> dict[str, Any]:
    """Give what is known of a PACS as what JSON can hold; moments are in UTC."""
    pacs, gate = settings.pacs[name], gate_of(settings, name)
    found = closed(settings, name, now)
    wait = Politeness(name, manners_of(settings, name), gate.standing).kept_away(now.timestamp())
    why = said(settings, found) if found else None
    if wait is not None and found is None:
        retry = datetime.fromtimestamp(now.timestamp() + wait.seconds, UTC)
        why = f"{wait.why}; it is tried again at {shown(settings, retry)}"
    return {
        "pacs": name,
        "host": pacs.host,
        "port": pacs.port,
        "may_be_asked": why is None,
        "now": why or _pace(gate.standing),
        "until": found.until.isoformat() if found and found.until else None,
        "pace": gate.standing.pace,
        "failures": gate.standing.failures,
        "paused": StandingFile(settings.lake.path, name).pause is not None,
        "breaker_open": gate.standing.is_open,
        "limits": {
            "max_associations": pacs.max_associations,
            "max_queries_per_minute": pacs.max_queries_per_minute,
            "duty_cycle": pacs.duty_cycle,
            "allowed_hours": pacs.allowed_hours is not None,
        },
    }


def _pace(standing: Standing) -> str:
    return "may be asked" if standing.pace == 1.0 else f"may be asked, at {standing.pace:.0%} of the pace"


def _limits(limits: dict[str, Any]) -> str:
    words = [f"{limits['max_associations']} associations"]
    if limits["max_queries_per_minute"]:
        words.append(f"{limits['max_queries_per_minute']} queries a minute")
    if limits["duty_cycle"] < 1:
        words.append(f"{limits['duty_cycle']:.0%} of the time")
    if limits["allowed_hours"]:
        words.append("allowed hours")
    return ", ".join(words)
