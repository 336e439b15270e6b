"""`pacslake demo`: where to put it and how large it is. Touches: disk."""

from __future__ import annotations

from pathlib import Path

import click

from jobs.options import Talk, talk_options
from jobs.wiring import start_logging


@click.command()
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("pacslake-demo"),
    show_default=True,
    help="Where the settings file and the lake go.",
)
@click.option("--studies", type=click.IntRange(1, 1_000_000), default=4000, show_default=True, help="How many studies.")
@talk_options
@click.pass_obj
def command(talk: Talk, directory: Path, studies: int) -> int:
    """Crawl a simulated PACS on this machine and answer three questions with SQL.

    \b
    pacslake demo
    pacslake demo --studies 20000 --directory /tmp/large-demo
    """
    start_logging(talk.log_level)

    from jobs.demo import run_demo

    return run_demo(directory, studies)
