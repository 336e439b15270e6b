"""Standing cohorts, `[cohorts.NAME]`: freeze what newly matches, and bring it. Touches: network, disk, clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import click
import structlog

from crawler.cohort.definition import Definition
from crawler.cohort.frozen import kept
from crawler.cohort.sizes import MEGABYTE
from crawler.errors import NoLakeError
from crawler.settings import CohortSettings, Settings
from jobs.cohort import refreeze
from jobs.exits import Exit
from jobs.ordering import RetrieveRequest, Wish, instances_left, plan_of


def has_standing(settings: Settings) -> bool:
    """Whether some cohort is to be brought by itself."""
    return any(told.retrieve == "auto" for told in settings.cohorts.values())


@dataclass(frozen=True, slots=True)
class Missing:
    """What is not here of a standing cohort that is brought by itself."""

    cohort: str
    pacs: str
    series: int
    instances: int
    """As far as they are counted."""


def missing_of(settings: Settings) -> list[Missing]:
    """Say what is still to be brought of the newest versions, as far as they are frozen."""
    found: list[Missing] = []
    try:
        frozen = {one.cohort: one for one in kept(settings.lake.path)}
    except NoLakeError:
        return found
    for name, told in settings.cohorts.items():
        if told.retrieve != "auto" or name not in frozen or frozen[name].dropped_at is not None:
            continue
        plan = plan_of(settings, RetrieveRequest((_wish(name, told),)))
        for pacs, order in plan.orders.items():
            found.append(Missing(name, pacs, len(order.tracks), instances_left(order)))
    return found


def run_standing(
    settings: Settings, names: Sequence[str] = (), *, dry_run: bool = False, as_json: bool = False
) -> Exit:
    """Freeze standing cohorts anew, all or those named, and bring them; give the exit code of `run_retrieve`.

    Those that bring nothing by themselves are frozen, and brought only where they are named. One that was dropped is
    left alone.
    """
    from jobs.retrieve import run_retrieve

    wishes = []
    for name, told in settings.cohorts.items():
        if names and name not in names:
            continue
        frozen, is_new = refreeze(settings, name, definition_of(told))
        if is_new:
            click.echo(f"pacslake: {name}: version {frozen.version} is frozen, {frozen.series:,} series", err=True)
        if frozen.dropped_at is not None:
            structlog.get_logger().warning("a standing cohort was dropped, and is left alone", cohort=name)
        elif names or told.retrieve == "auto":
            wishes.append(_wish(name, told))
    if not wishes:
        click.echo(
            'pacslake: no cohort is to be brought; give one a section [cohorts.NAME] with retrieve = "auto"', err=True
        )
    return run_retrieve(settings, RetrieveRequest(tuple(wishes)), dry_run=dry_run, as_json=as_json)


def _wish(name: str, told: CohortSettings) -> Wish:
    return Wish(name, told.priority, None if told.max_gb is None else told.max_gb * 1000 * MEGABYTE)


def definition_of(told: CohortSettings) -> Definition:
    """Give what a section says as a definition."""
    return Definition(told.sql, told.parameters, None, told.pacs, told.take_ambiguous)
