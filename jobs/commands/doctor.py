"""`pacslake doctor`: is all here that pacslake needs? Touches: disk."""

from __future__ import annotations

from pathlib import Path

import click

from jobs.options import Talk, config_option, talk_options
from jobs.wiring import start_logging


@click.command()
@click.option("--peers", is_flag=True, help="Also call each PACS that may be asked now (C-ECHO).")
@click.option("--format", "kind", type=click.Choice(("text", "json")), default="text", show_default=True)
@config_option
@talk_options
@click.pass_obj
def command(talk: Talk, peers: bool, kind: str, config: Path) -> int:
    """Look whether this installation is fit to work, and say what to type where it is not.

    It looks at Python and packages, settings, time zone, secrets (systemd's credentials too), certificates, folders and
    their room, the lake, ports, and whether each PACS may be asked. It changes nothing, and asks no PACS unless --peers
    is given. No patient's value is printed.

    \b
    pacslake doctor
    pacslake doctor --peers --config /etc/pacslake/pacslake.toml
    pacslake doctor --format json | jq '.[] | select(.grade != "ok")'

    Exit codes: 0 nothing has to be mended, 3 something has; it stands there as `problem`.
    """
    start_logging(talk.log_level)

    from jobs.doctor import run_doctor

    return run_doctor(config, peers=peers, as_json=kind == "json")
