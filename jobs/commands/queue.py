"""`pacslake queue …`: the jobs that services on several machines share. Touches: disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from crawler.errors import UserError
from jobs.options import config_option, talk_options
from jobs.wiring import settings_from

if TYPE_CHECKING:
    import types


@click.group(invoke_without_command=True)
@click.option("--format", "kind", type=click.Choice(("table", "json")), default="table", show_default=True)
@config_option
@talk_options
@click.pass_context
def command(ctx: click.Context, kind: str, config: Path) -> None:
    """Show who does which of the jobs that services on several machines share, and what waits.

    \b
    pacslake queue
    pacslake queue --format json
    pacslake queue init

    Exit codes: 1 where PostgreSQL does not answer, 2 where the settings name no queue.
    """
    if ctx.invoked_subcommand is None:
        settings = settings_from(config)
        _shared_jobs().show_queue(settings, as_json=kind == "json")


@command.command()
@config_option
@talk_options
def init(config: Path) -> None:
    """Make the tables of the queue in its database. The first service does that too, where it may.

    \b
    pacslake queue init
    pacslake queue init --config /etc/pacslake/pacslake.toml

    Exit codes: 1 where PostgreSQL does not answer, 2 where the tables are those of another release.
    """
    _shared_jobs().make_queue(settings_from(config))


def _shared_jobs() -> types.ModuleType:
    try:
        from jobs import shared_jobs
    except ModuleNotFoundError as error:
        raise UserError(f"{error.name} is not installed, which a queue takes: pip install 'pacslake[queue]'") from None
    return shared_jobs
