"""`pacslake lake …`: repairs of what the lake holds. Touches: disk."""

from __future__ import annotations

from pathlib import Path

import click

from jobs.completing import names_of
from jobs.options import config_option, talk_options
from jobs.wiring import settings_from


@click.group()
def command() -> None:
    """Mend what the lake holds, without asking a PACS.

    \b
    pacslake lake redecode main --charset "ISO_IR 100" --dry-run
    """


@command.command()
@click.argument("pacs", nargs=-1, shell_complete=names_of("pacs"))
@click.option("--charset", metavar="TERMS", help="Read text in this character set.  [default: as the settings say]")
@click.option("--declared", metavar="TERMS", help="Only rows that declare this character set; '' for none.")
@click.option("--dry-run", is_flag=True, help="Only say how many rows would change.")
@click.option("--format", "kind", type=click.Choice(("table", "json")), default="table", show_default=True)
@config_option
@talk_options
def redecode(
    pacs: tuple[str, ...], charset: str | None, declared: str | None, dry_run: bool, kind: str, config: Path
) -> None:
    """Read text again in another character set, out of the bytes that were kept of it.

    Set `default_charset` and `declared_charsets` of the PACS in the settings, what it means by declaring nothing or
    something: sweeps read its answers so, and this command what came before.

    With --charset, concerns rows whose text is malformed in the character set that the PACS declared or that was
    assumed; with --declared, all rows that declare this one. Rows that read otherwise become new versions; the old
    ones stay in the history.

    \b
    pacslake lake redecode
    pacslake lake redecode --charset "ISO_IR 100" --dry-run
    pacslake lake redecode main --charset "ISO_IR 192" --declared ""
    pacslake lake redecode --charset "\\ISO 2022 IR 87"

    Exit codes: 2 for a character set or PACS that is not known, 10 when there is no lake, 11 when another process
    owns it.
    """
    settings = settings_from(config)

    from jobs.redecode import RedecodeRequest, report, run_redecode

    outcomes = run_redecode(settings, RedecodeRequest(pacs, charset, declared, dry_run))
    click.echo(report(outcomes, as_json=kind == "json", dry_run=dry_run))
