"""The options that several commands share. Pure."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import click

from crawler.model import Level
from jobs.completing import names_of

Command = TypeVar("Command", bound=Callable[..., Any])

LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass
class Talk:
    """How much is said on standard error."""

    debug: bool = False
    log_level: str = "info"


def day(_ctx: click.Context, _option: click.Parameter, text: str | None) -> date | None:
    """Read the value of an option that is a calendar day (a click callback)."""
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a day, as 2024-01-31") from None


def _set_debug(ctx: click.Context, _option: click.Parameter, value: bool) -> None:
    ctx.ensure_object(Talk).debug = value


def _set_log_level(ctx: click.Context, _option: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.ensure_object(Talk).log_level = value


def config_option(command: Command) -> Command:
    """Add --config, the settings file."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        default=Path("pacslake.toml"),
        show_default=True,
        metavar="FILE",
        help="The settings file.",
    )(command)


def processes_option(command: Command) -> Command:
    """Add --processes, how many work side by side."""
    return click.option(
        "--processes",
        type=click.IntRange(1, 256),
        default=os.cpu_count() or 1,
        show_default="processors",
        metavar="N",
        help="How many work side by side.",
    )(command)


def now_option(command: Command) -> Command:
    """Add --now, which lets a person ask a PACS outside its allowed hours."""
    return click.option("--now", is_flag=True, help="Outside the allowed hours of a PACS too.")(command)


def calling_options(command: Command) -> Command:
    """Add --aet, --timeout, --now and --config: how PACS are called that are named or addressed (see jobs/peers.py)."""
    aet = click.option("--aet", metavar="TITLE", help="Our AE title.  [default: `[local] ae_title`, or PACSLAKE]")
    timeout = click.option(
        "--timeout",
        type=click.FloatRange(0, min_open=True),
        metavar="SECONDS",
        help="How long to wait for the connection, and for the next byte.  [default: as set, or 10 and 60]",
    )
    return aet(timeout(now_option(config_option(command))))


def named_options(command: Command) -> Command:
    """Add --patient, --study, --series and --image, by which a person names what is to be brought."""
    options = (
        click.option("--patient", multiple=True, metavar="ID", help="All of a patient, or whose the rest is."),
        click.option("--study", multiple=True, metavar="UID", help="A study, or where the rest lies."),
        click.option("--series", multiple=True, metavar="UID", help="A series, or where the images lie."),
        click.option("--image", multiple=True, metavar="UID", help="A single instance."),
        click.option(
            "--model",
            type=click.Choice(["study", "patient"]),
            help="Study Root or Patient Root.  [default: study, or as set]",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def talk_options(command: Command) -> Command:
    """Add --log-level and --debug, which `Talk` holds."""
    level = click.option(
        "--log-level",
        type=click.Choice(LOG_LEVELS),
        show_default="$PACSLAKE_LOG_LEVEL, or info",
        expose_value=False,
        callback=_set_log_level,
        help="Log this and what is worse.",
    )
    debug = click.option(
        "--debug", is_flag=True, expose_value=False, is_eager=True, callback=_set_debug, help="Show where an error was."
    )
    return level(debug(command))


def ledger_options(command: Command) -> Command:
    """Add what narrows a look at the ledger: PACS by name, --from and --to, --level."""
    options = (
        click.argument("pacs", nargs=-1, shell_complete=names_of("pacs")),
        click.option(
            "--from", "date_from", callback=day, metavar="DAY", help="First day.  [default: the first asked for]"
        ),
        click.option(
            "--to", "date_to", callback=day, metavar="DAY", help="Last day, included.  [default: the last asked for]"
        ),
        click.option(
            "--level",
            type=click.Choice([Level.STUDY.value, Level.SERIES.value, Level.IMAGE.value]),
            help="Down to this level.  [default: the deepest of the PACS's `levels`]",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command
