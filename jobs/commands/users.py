"""`pacslake users …`: who may log in to the service, as what. Touches: disk, the terminal."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from jobs.options import config_option, talk_options
from jobs.wiring import settings_from, start_logging

ROLES = ("viewer", "analyst", "operator")

stdin_option = click.option("--password-stdin", is_flag=True, help="Read the password from standard input, one line.")


@click.group()
def command() -> None:
    """Say who may log in to the service's pages, and as what: the file that `[serve] password_file` names.

    A viewer sees what identifies no patient. An analyst asks in SQL for everything, and downloads it. An operator also
    pauses PACS, and has days asked for again. A service that runs takes every change at once.

    \b
    pacslake users add alice --role analyst
    pacslake users list
    """


@command.command(name="list")
@click.option("--format", "kind", type=click.Choice(("table", "json")), default="table", show_default=True)
@config_option
@talk_options
def show(kind: str, config: Path) -> None:
    """Show who may log in.

    \b
    pacslake users list
    pacslake users list --format json
    """
    settings = settings_from(config)

    from jobs.showing import print_table
    from jobs.users import list_users

    found = list_users(settings)
    if kind == "json":
        click.echo(json.dumps([{"name": name, "role": role} for name, role in found], indent=2))
        return
    print_table(("name", "role"), found, "Nobody may log in; type: pacslake users add NAME --role viewer")


@command.command()
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True, help="What they may.")
@stdin_option
@config_option
@talk_options
def add(name: str, role: str, password_stdin: bool, config: Path) -> None:
    """Let somebody log in. The password is asked for twice.

    \b
    pacslake users add alice --role analyst
    pass show pacslake/alice | pacslake users add alice --role analyst --password-stdin

    Exit codes: 2 for a name that is taken or wrong, or a password of less than 12 characters.
    """
    settings = settings_from(config)
    start_logging("warning")

    from jobs.users import add_user

    add_user(settings, name, role, _password(password_stdin))


@command.command()
@click.argument("name")
@config_option
@talk_options
def remove(name: str, config: Path) -> None:
    """Let somebody log in no more; who is logged in is logged out.

    \b
    pacslake users remove alice
    """
    settings = settings_from(config)
    start_logging("warning")

    from jobs.users import remove_user

    remove_user(settings, name)


@command.command()
@click.argument("name")
@stdin_option
@config_option
@talk_options
def passwd(name: str, password_stdin: bool, config: Path) -> None:
    """Give somebody another password; who is logged in by the old one is logged out.

    \b
    pacslake users passwd alice
    """
    settings = settings_from(config)
    start_logging("warning")

    from jobs.users import require_user, set_password

    require_user(settings, name)
    set_password(settings, name, _password(password_stdin))


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return typed
