"""`pacslake echo`: whom to call, and how often. Touches: disk."""

from __future__ import annotations

from typing import Any

import click

from jobs.completing import names_of
from jobs.options import Talk, calling_options, talk_options
from jobs.wiring import start_logging


@click.command()
@click.argument("pacs", nargs=-1, required=True, shell_complete=names_of("pacs"))
@click.option("--count", type=click.IntRange(1), default=1, show_default=True, metavar="N", help="C-ECHO to send.")
@click.option("--format", "kind", type=click.Choice(("table", "json")), default="table", show_default=True)
@calling_options
@talk_options
@click.pass_obj
def command(talk: Talk, /, pacs: tuple[str, ...], count: int, kind: str, **typed: Any) -> int:
    """Call PACS and say whether they answer (C-ECHO), and how long that takes.

    PACS are called by their names in pacslake.toml, others as AE@host:port, for which no settings are needed.

    \b
    pacslake echo main archive
    pacslake echo ORTHANC@127.0.0.1:4242 --count 10
    pacslake echo main --format json

    Exit codes: 0 all answered with success, 1 one did not, 2 no such PACS.
    """
    start_logging(talk.log_level)

    from jobs.echo import run_echo
    from jobs.peers import Calling, Peers

    calling = Calling(typed["config"], typed["aet"], typed["timeout"], typed["now"])
    return run_echo(Peers(pacs, calling), count, as_json=kind == "json")
