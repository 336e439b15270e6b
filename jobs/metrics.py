"""Metrics: what settings and ledger say of the moment, and `pacslake metrics` for those who run no service.

Touches: disk, clock, standard output.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from prometheus_client import CollectorRegistry, generate_latest, write_to_textfile

from crawler.errors import LakeError
from crawler.lake.job_runs import slots_done
from crawler.plan.due import Schedule, overdue
from crawler.retrieve.quota import taken_today
from crawler.serve.metrics import Condition, registry_of
from crawler.settings import Settings
from jobs.certificates import expiries
from jobs.permission import closed, gate_of, is_switched_off
from jobs.scheduler import schedules_of


def condition_of(settings: Settings, schedules: list[Schedule], *, settings_valid: bool = True) -> Condition:
    """Say how jobs and PACS are now."""
    now = datetime.now(UTC)
    try:
        done = slots_done(settings.lake.path)
    except LakeError:
        done = {}
    late = overdue(schedules, done, now)
    return Condition(
        jobs={"due": len(late), "waiting": len(schedules) - len(late)},
        overdue_seconds=max(late.values(), default=timedelta()).total_seconds(),
        closed={
            (name, reason): holds for name in settings.pacs for reason, holds in _closed(settings, name, now).items()
        },
        pace={name: gate_of(settings, name).standing.pace for name in settings.pacs},
        settings_valid=settings_valid,
        received=_received(settings),
        certificates={setting: until.timestamp() for setting, until in expiries(settings).items()},
    )


def _received(settings: Settings) -> dict[tuple[str, str], float]:
    """Say what share of its quota each PACS has sent today."""
    quota, found = settings.local.quota, dict[tuple[str, str], float]()
    if quota is None:
        return found
    taken = taken_today(settings.local.store_path)
    for name, pacs in settings.pacs.items():
        counts = zip(("objects", "bytes"), taken.get(pacs.ae_title, (0, 0)), (quota.objects, quota.size), strict=True)
        found |= {(name, kind): count / most for kind, count, most in counts if most}
    return found


def _closed(settings: Settings, name: str, now: datetime) -> dict[str, int]:
    """Say what keeps a PACS from being asked, in words that do not change."""
    found = closed(settings, name, now)
    switched_off = is_switched_off(settings)
    return {
        "kill_switch": switched_off,
        "paused": bool(found and not found.by_hours and not switched_off),
        "hours": bool(found and found.by_hours),
        "breaker": gate_of(settings, name).standing.is_open,
    }


def run_metrics(settings: Settings, file: Path | None) -> None:
    """Print the metrics, or write them into a file, which is there whole or as it was before."""
    schedules = schedules_of(settings)
    registry: CollectorRegistry = registry_of(settings.lake.path, lambda: condition_of(settings, schedules))
    if file is None:
        click.echo(generate_latest(registry).decode(), nl=False)
    else:
        write_to_textfile(str(file), registry)
        file.chmod(0o644)  # for node_exporter, a user of its own; nothing in it is about patients
