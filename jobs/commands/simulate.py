"""`pacslake simulate`: what the simulated PACS holds and where it listens. Touches: network, standard output."""

from __future__ import annotations

from datetime import date

import click

from jobs.options import Talk, day, talk_options
from jobs.wiring import start_logging


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", type=click.IntRange(0, 65535), default=11113, show_default=True, help="0 takes a free one.")
@click.option("--ae-title", default="SIMPACS", show_default=True, help="Its AE title; '' answers to any.")
@click.option(
    "--studies", type=click.IntRange(0, 10_000_000), default=4000, show_default=True, help="How many studies."
)
@click.option("--undated", type=click.IntRange(0), default=0, help="So many more without StudyDate.")
@click.option(
    "--from", "first", callback=day, default="2023-01-01", show_default=True, metavar="DAY", help="First day."
)
@click.option("--to", "last", callback=day, default="2024-12-31", show_default=True, metavar="DAY", help="Last day.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Another seed, another archive.")
@click.option("--quirk", "quirks", multiple=True, metavar="NAME[=VALUE]", help="Misbehave; may be given several times.")
@talk_options
@click.pass_obj
def command(talk: Talk, /, host: str, port: int, ae_title: str, quirks: tuple[str, ...], **what: int | date) -> int:
    """Run a simulated PACS with synthetic studies: C-ECHO and C-FIND, until Ctrl-C.

    It prints one line when it is ready. The same options give the same studies. Quirks make it misbehave as real PACS
    do; crawler/testing/quirks.py describes each.

    \b
    pacslake simulate --port 11113
    pacslake simulate --studies 168000 --seed 7 --from 2020-01-01 --to 2024-12-31
    pacslake simulate --quirk cap=500 --quirk over_cap=a700 --quirk ignores=StudyTime,ModalitiesInStudy
    """
    start_logging(talk.log_level)

    from crawler.testing.archive import Archive
    from crawler.testing.quirks import parse_quirks
    from jobs.simulate import SimulateRequest, simulate

    archive = Archive(**what, retrieve_ae=ae_title or "SIMPACS")  # type: ignore[arg-type]  # click made each of its type
    return simulate(archive, SimulateRequest(host, port, ae_title, parse_quirks(quirks)))
