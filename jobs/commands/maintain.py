"""`pacslake maintain`: what to keep, checked before anything is opened. Touches: disk, clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from jobs.options import config_option, talk_options
from jobs.wiring import settings_from


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--whole", is_flag=True, help="Write all tables anew, also those that are in good shape.")
@click.option(
    "--keep-history",
    type=click.IntRange(min=0),
    metavar="DAYS",
    help="Drop versions that were replaced longer ago.  [default: keep all]",
)
@click.option(
    "--keep-files",
    type=click.IntRange(min=0),
    default=7,
    show_default=True,
    metavar="DAYS",
    help="Keep replaced files this long, for those who are reading them.",
)
@click.option("--format", "kind", type=click.Choice(("text", "json")), default="text", show_default=True)
@config_option
@talk_options
def command(dry_run: bool, whole: bool, keep_history: int | None, keep_files: int, kind: str, config: Path) -> None:
    """Keep the lake quick and small: small files into large ones, replaced files away.

    Nothing that can be asked for changes, but for the versions that --keep-history drops: `--as-of` and `changes`
    then refuse to speak of the time before. Readers are not disturbed; a running sweep is not either: then this
    command ends with exit code 11.

    \b
    pacslake maintain --dry-run
    pacslake maintain
    pacslake maintain --keep-history 730

    Exit codes: 0 done, 10 no lake, 11 another process owns the lake, 14 a later release wrote it.
    """
    settings = settings_from(config)

    from crawler.lake.upkeep import Wanted
    from jobs.maintain import run_maintain

    now = datetime.now(UTC).replace(tzinfo=None)
    history_from = now - timedelta(days=keep_history) if keep_history is not None else None
    wanted = Wanted(history_from, timedelta(days=keep_files), whole)
    run_maintain(settings.lake.path, wanted, dry_run=dry_run, as_json=kind == "json")
