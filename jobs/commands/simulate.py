"""`pacslake simulate`: what the simulated PACS holds and where it listens. Touches: network, disk, standard output."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from jobs.options import Talk, day, talk_options
from jobs.wiring import start_logging


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", type=click.IntRange(0, 65535), default=11113, show_default=True, help="0 takes a free one.")
@click.option("--ae-title", default="SIMPACS", show_default=True, help="Its AE title; '' answers to any.")
@click.option("--studies", type=click.IntRange(0, 10_000_000), help="How many studies.  [default: 4000]")
@click.option("--from", "first", callback=day, metavar="DAY", help="First day.  [default: 2023-01-01]")
@click.option("--to", "last", callback=day, metavar="DAY", help="Last day.  [default: 2024-12-31]")
@click.option("--undated", type=click.IntRange(0, 900_000), help="So many more without StudyDate.")
@click.option("--untimed", type=click.FloatRange(0, 1), help="Share of the studies without StudyTime, 0.02 say.")
@click.option("--busy-day", callback=day, metavar="DAY", help="A day with many more studies.")
@click.option("--busy-studies", "busy", type=click.IntRange(0, 900_000), help="How many more.  [default: 40000]")
@click.option("--images", "most_images", type=click.IntRange(0), help="No series has more images.")
@click.option("--rows", type=click.IntRange(0, 65535), help="Height of images; 0: as the modality has.  [default: 32]")
@click.option("--columns", type=click.IntRange(0, 65535), help="Width of images, likewise.  [default: 24]")
@click.option("--seed", type=click.IntRange(0), help="Another seed, another archive.  [default: 1]")
@click.option("--quirks", "file", type=click.Path(path_type=Path), metavar="FILE", help="Misbehave as this file says.")
@click.option("--quirk", "texts", multiple=True, metavar="NAME[=VALUE]", help="Misbehave; may be given several times.")
@click.option("--destination", "places", multiple=True, metavar="AE=HOST:PORT", help="Where C-MOVE may send to.")
@talk_options
@click.pass_obj
def command(
    talk: Talk,
    /,
    host: str,
    port: int,
    ae_title: str,
    file: Path | None,
    texts: tuple[str, ...],
    places: tuple[str, ...],
    **archive: int | float | date | None,
) -> int:
    """Run a simulated PACS with synthetic studies: C-ECHO, C-FIND, C-MOVE and C-GET, until Ctrl-C.

    It prints one line when it is ready. The same options give the same studies. Quirks make it misbehave as real PACS
    do; docs/simulator.md describes each. What is given here wins over what the file says.

    \b
    pacslake simulate --port 11113
    pacslake simulate --studies 168000 --seed 7 --from 2020-01-01 --to 2024-12-31
    pacslake simulate --quirk cap=500 --quirk over_cap=a700 --quirk ignores=StudyTime,ModalitiesInStudy
    pacslake simulate --studies 50 --images 20 --destination PACSLAKE=127.0.0.1:11112
    pacslake simulate --quirks quirks.toml --quirk cap=200 --busy-day 2024-03-05
    """
    start_logging(talk.log_level)

    from crawler.testing.profile import Profile, archive_of, load_profile, parse_destinations, parse_quirks
    from jobs.simulate import SimulateRequest, simulate

    profile = load_profile(file) if file else Profile()
    destinations = {**profile.destinations, **parse_destinations(places)}
    request = SimulateRequest(host, port, ae_title, parse_quirks(texts, profile.quirks), destinations)
    return simulate(archive_of(profile, {**archive, "retrieve_ae": ae_title or "SIMPACS"}), request)
