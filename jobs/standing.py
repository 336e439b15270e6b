"""Standing cohorts, `[cohorts.NAME]`: freeze what newly matches, and bring it. Touches: network, disk, clock."""

from __future__ import annotations

from collections.abc import Sequence

import click
import structlog

from crawler.cohort.definition import Definition
from crawler.cohort.sizes import MEGABYTE
from crawler.settings import CohortSettings, Settings
from jobs.cohort import refreeze
from jobs.exits import Exit
from jobs.ordering import RetrieveRequest, Wish
from jobs.retrieve import run_retrieve


def has_standing(settings: Settings) -> bool:
    """Whether some cohort is to be brought by itself."""
    return any(told.retrieve == "auto" for told in settings.cohorts.values())


def run_standing(settings: Settings, names: Sequence[str] = (), *, dry_run: bool = False) -> Exit:
    """Freeze standing cohorts anew, all or those named, and bring them; give the exit code of `run_retrieve`.

    Those that bring nothing by themselves are frozen, and brought only where they are named. One that was dropped is
    left alone.
    """
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
            most = None if told.max_gb is None else told.max_gb * 1000 * MEGABYTE
            wishes.append(Wish(name, told.priority, most))
    if not wishes:
        click.echo(
            'pacslake: no cohort is to be brought; give one a section [cohorts.NAME] with retrieve = "auto"', err=True
        )
        return Exit.OK
    return run_retrieve(settings, RetrieveRequest(tuple(wishes)), dry_run=dry_run)


def definition_of(told: CohortSettings) -> Definition:
    """Give what a section says as a definition."""
    return Definition(told.sql, told.parameters, None, told.pacs, told.take_ambiguous)
