"""`pacslake move`: what to bring or to send by C-MOVE, and where to. Touches: disk."""

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
@click.option(
    "--to", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Bring it into this folder."
)
@click.option("--destination", metavar="AE", help="Have the PACS send it to this AE title instead.")
@click.option("--port", type=click.IntRange(1, 65535), metavar="N", help="Where we listen.  [default: [local] port]")
@click.option("--format", "kind", type=click.Choice(("text", "json")), default="text", show_default=True)
@calling_options
@talk_options
@click.pass_obj
def command(talk: Talk, /, pacs: str, kind: str, **typed: Any) -> int:
    """Bring a patient, studies, series or images from a PACS into a folder, by C-MOVE; or have them sent elsewhere.

    With --to, the PACS sends to our AE title at our port, where it must know us (what to register is said when it does
    not). Files lie in DIR as STUDY/SERIES/INSTANCE.dcm, each whole or not at all; what lies there is not asked for
    again. What came is compared with what the PACS lists.

    With --destination, only what the PACS counts is known: whether it has arrived there cannot be seen from here.

    \b
    pacslake move main --study 1.2.840.113619.2.1 --to ct
    pacslake move ORTHANC@127.0.0.1:4242 --series 1.2.840.113619.2.1.3 --to ct --port 11113
    pacslake move main --study 1.2.840.113619.2.1 --destination WORKSTATION

    Exit codes: 0 all that the PACS lists is here, or was sent as it says; 1 it cannot be reached or refuses, 2 wrong
    usage, 3 something is missing, 130 interrupted.
    """
    if bool(typed["to"]) == bool(typed["destination"]):
        raise click.UsageError("say where to: --to DIR, or --destination AE")
    start_logging(talk.log_level)

    from crawler.model import Model
    from jobs.direct import Request, run_direct
    from jobs.named import Named
    from jobs.peers import Calling, Peers

    named = Named.of(typed)
    peers = Peers([pacs], Calling(typed["config"], typed["aet"], typed["timeout"], typed["now"]))
    model, as_json = Model(typed["model"]) if typed["model"] else None, kind == "json"
    if typed["destination"]:
        from jobs.forwarding import Forward, run_forward

        return run_forward(peers, Forward(named, typed["destination"], model, as_json))
    return run_direct(peers, Request(named, typed["to"], gets=False, port=typed["port"], model=model, as_json=as_json))
