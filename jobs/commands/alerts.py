"""`pacslake alerts …`: who is told when something goes wrong, and a try whether it arrives. Touches: disk."""

from __future__ import annotations

from pathlib import Path

import click

from jobs.completing import names_of
from jobs.options import config_option, talk_options
from jobs.wiring import settings_from


@click.group(invoke_without_command=True)
@click.option("--format", "kind", type=click.Choice(("table", "json")), default="table", show_default=True)
@config_option
@talk_options
@click.pass_context
def command(ctx: click.Context, kind: str, config: Path) -> None:
    """Show who is told when something goes wrong, and what is wrong now.

    `pacslake serve` tells those whom the sections [alerts.NAME] of pacslake.toml name, by webhook, e-mail or a command:
    once when a trouble begins, once when it has ended. What it found last is shown here, and what has not arrived yet.

    \b
    pacslake alerts
    pacslake alerts --format json
    pacslake alerts test
    """
    if ctx.invoked_subcommand is None:
        from jobs.alerts import list_alerts

        list_alerts(settings_from(config), as_json=kind == "json")


@command.command()
@click.argument("name", required=False, shell_complete=names_of("alerts"))
@config_option
@talk_options
def test(name: str | None, config: Path) -> int:
    """Send a test message to everybody, or to the one of this NAME.

    \b
    pacslake alerts test
    pacslake alerts test mail --config /etc/pacslake/pacslake.toml

    Exit codes: 0 all arrived, 1 some did not, and why is said; 2 for a name that is not known.
    """
    settings = settings_from(config)

    from jobs.alerts import try_alerts

    return try_alerts(settings, name)
