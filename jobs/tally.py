"""Count a lake's rows when it has changed since they were last counted. Touches: disk, clock, standard error."""

from __future__ import annotations

import sys

import click

from crawler.lake import recent, tallies
from crawler.settings import Settings


def tally_if_changed(settings: Settings) -> None:
    """Count now, which takes seconds for a million series. NoLakeError where there is no lake."""
    lake = settings.lake.path
    version = recent.version_of(lake)
    known = tallies.tallied(lake)
    if known is None or known.version != version:
        if sys.stderr.isatty():
            click.echo("pacslake: counting …", err=True)
        tallies.count(lake)
