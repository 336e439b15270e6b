"""`pacslake get`: what to bring by C-GET, and where to. Touches: disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from jobs.completing import names_of
from jobs.options import Talk, calling_options, named_options, talk_options
from jobs.wiring import start_logging


@click.command()
@click.argument("pacs", shell_complete=names_of("pacs"))
@named_options
@click.option("--to", required=True, type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Where to.")
@click.option("--format", "kind", type=click.Choice(("text", "json")), default="text", show_default=True)
@calling_options
@talk_options
@click.pass_obj
def command(talk: Talk, /, pacs: str, to: Path, kind: str, **typed: Any) -> int:
    """Bring a patient, studies, series or images from a PACS into a folder, by C-GET.

    Objects come over the association on which they are asked for: nothing is registered at the PACS but our AE title,
    and no port is opened here. Files lie in DIR as STUDY/SERIES/INSTANCE.dcm, each whole or not at all; what lies there
    is not asked for again. What came is compared with what the PACS lists.

    \b
    pacslake get main --study 1.2.840.113619.2.1 --to ct
    pacslake get ORTHANC@127.0.0.1:4242 --series 1.2.840.113619.2.1.3 --to ct
    pacslake get main --patient 4711 --model patient --to all

    Exit codes: 0 all that the PACS lists is here, 1 it cannot be reached or refuses, 2 wrong usage, 3 something is
    missing, 130 interrupted.
    """
    start_logging(talk.log_level)

    from crawler.model import Model
    from jobs.direct import Request, run_direct
    from jobs.named import Named
    from jobs.peers import Calling, Peers

    named = Named.of(typed)
    peers = Peers([pacs], Calling(typed["config"], typed["aet"], typed["timeout"], typed["now"]))
    model = Model(typed["model"]) if typed["model"] else None
    return run_direct(peers, Request(named, to, gets=True, model=model, as_json=kind == "json"))
