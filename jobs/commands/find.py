"""`pacslake find`: what to ask of whom, checked before anything is opened. Touches: disk."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import click

from crawler.errors import UserError
from crawler.model import HIERARCHY, Level, Model
from jobs.completing import names_of
from jobs.options import Talk, calling_options, talk_options
from jobs.wiring import start_logging

_FORMATS = ("table", "text", "json", "jsonl", "csv", "parquet")


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="PACS... [KEY]...", shell_complete=names_of("pacs"))
@click.option("--study", "model", flag_value="study", help="Ask by Study Root.  [default, or `model` of the PACS]")
@click.option("--patient", "model", flag_value="patient", help="Ask by Patient Root.")
@click.option("--patient-study-only", "model", flag_value="patient_study", help="Ask by Patient/Study Only.")
@click.option("--worklist", "model", flag_value="worklist", help="Ask a Modality Worklist.")
@click.option("--level", type=click.Choice([level.value for level in HIERARCHY]), help="[default: study]")
@click.option("--query", type=click.Path(path_type=Path), metavar="FILE", help="Take keys from a file too.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Cancel after so many answers of each PACS.")
@click.option("--relational", is_flag=True, help="Ask for relational queries.")
@click.option("--combined-datetime", is_flag=True, help="Ask for dates and times to be matched as one.")
@click.option("--fuzzy", is_flag=True, help="Ask for fuzzy matching of names.")
@click.option("--format", "kind", type=click.Choice(_FORMATS), help="How answers are written.  [default: table]")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write to this file.")
@click.option(
    "--files",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Also a DICOM file for each answer.",
)
@calling_options
@talk_options
@click.pass_obj
def command(talk: Talk, /, **typed: Any) -> int:
    """Ask a PACS (C-FIND), by its name in pacslake.toml or as AE@host:port.

    KEY is Keyword=value to match, or Keyword to be told; tags as 0010,0020 do too, and what lies in a sequence is
    Sequence.Keyword. Where no key asks to be told, a helpful handful of attributes does. Each row says whose it is.

    \b
    pacslake find main PatientID=12345
    pacslake find ORTHANC@127.0.0.1:4242 StudyDate=20240101-20240131 ModalitiesInStudy=CT PatientName
    pacslake find main --level series StudyInstanceUID=1.2.3 --format json
    pacslake find main archive "PatientName=DOE^J*" --limit 20
    pacslake find RIS@10.0.0.7:104 --worklist ScheduledProcedureStepSequence.Modality=MR
    pacslake find main --query question.json StudyDate=20240105 --out answer.parquet

    Exit codes: 0 all answers came, 1 refused, failed or not reached, 2 wrong usage, 3 there may be more than came.
    """
    start_logging(talk.log_level)

    from crawler.asking.files import read_query
    from crawler.asking.question import ask
    from jobs.find import Wanted, run_find
    from jobs.peers import Calling, Peers, known_names

    calling = Calling(typed["config"], typed["aet"], typed["timeout"], typed["now"])
    names, keys = told_apart(typed["words"], known_names(calling.config))
    peers = Peers(names, calling)
    model = Model(typed["model"]) if typed["model"] else peers.called[0].pacs.model
    base = read_query(typed["query"]) if typed["query"] else None
    omit = {name for one in peers.called for name in one.pacs.omit_keys or ()}
    question = ask(model, Level(typed["level"]) if typed["level"] else None, keys, base, omit)
    negotiated = (typed["relational"], typed["combined_datetime"], typed["fuzzy"])
    kind = _kind(typed["kind"], typed["out"])
    return run_find(peers, Wanted(question, negotiated, typed["limit"], kind, typed["out"], typed["files"]))


def _kind(said: str | None, out: Path | None) -> str:
    """Give the format that is said, else the one that the file's name says, else a table."""
    named = out.suffix.removeprefix(".").lower() if out else ""
    return said or (named if named in _FORMATS else "table")


def told_apart(words: Sequence[str], known: Collection[str]) -> tuple[list[str], list[str]]:
    """Tell PACS from keys: the first word is a PACS, and so are addresses and known names after it."""
    names: list[str] = [words[0]]
    keys: list[str] = []
    for word in words[1:]:
        is_pacs = word in known or ("@" in word and "=" not in word)
        near = difflib.get_close_matches(word, known, n=1)
        if near and not is_pacs and word.islower():  # no keyword is
            raise UserError(f"there is no PACS named {word!r}, nor an attribute; did you mean {near[0]!r}?")
        (names if is_pacs else keys).append(word)
    return names, keys
