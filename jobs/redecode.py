"""`pacslake lake redecode`: read the text of a lake again in another character set. Touches: disk, clock."""

from __future__ import annotations

import difflib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product

from crawler import open_lake
from crawler.columns import added_attributes
from crawler.decode.charset import charset_of, known_terms
from crawler.decode.redecode import PROBLEMS, redecode
from crawler.errors import UserError
from crawler.lake.kept import Selection, kept_rows, pacs_of
from crawler.lake.query import Lake
from crawler.lake.writer import LakeWriter
from crawler.model import Level
from crawler.settings import Settings, nearest
from jobs.phi import open_writer, policy_of_lake
from jobs.table import render

Reading = tuple[str | None, str]
"""What rows declared (None: those with malformed text), and the character set to read them in."""


@dataclass(frozen=True, slots=True)
class RedecodeRequest:
    """What to read again: PACS by name (none: all), in which character set, and which rows."""

    pacs: tuple[str, ...]
    charset: str | None = None
    """None for what the settings say of each PACS."""
    declared: str | None = None
    """Rows that declared this; None for those with text that was malformed in what they declared, or without a
    charset for all that the settings speak of."""
    dry_run: bool = False


@dataclass(slots=True)
class Outcome:
    """What came of one level of a PACS."""

    pacs: str
    level: str
    rows: int = 0
    changed: int = 0
    malformed: int = 0
    """Rows with text that is not in the new character set either."""


def run_redecode(settings: Settings, request: RedecodeRequest) -> list[Outcome]:
    """Write a new version of each row that reads otherwise, in one commit; with `dry_run` only count them."""
    path = settings.lake.path
    with open_lake(path) as lake:
        known = pacs_of(lake)
        for name in request.pacs:
            if name not in known:
                raise UserError(f"the lake has no rows of a PACS named {name!r}{nearest(name, known)}")
        readings = _readings(settings, request, request.pacs or known)
        if request.dry_run:
            return _redecode(lake, readings, None)
    with open_writer(path, policy_of_lake(settings), create=False) as writer, open_lake(path) as lake:
        outcomes = _redecode(lake, readings, writer)
        writer.commit()
        return outcomes


def _readings(settings: Settings, request: RedecodeRequest, names: Sequence[str]) -> dict[str, list[Reading]]:
    """Say for each PACS which rows to read in which character set. UserError where nothing says so."""
    readings: dict[str, list[Reading]] = {}
    for name in names:
        meant = settings.pacs[name].charsets if name in settings.pacs else {}
        readings[name] = [(declared, charset) for declared, charset in meant.items() if charset]
        if request.declared is not None:
            readings[name] = [one for one in readings[name] if one[0] == request.declared]
        if request.charset is not None:
            readings[name] = [(request.declared, request.charset)]
        for _, charset in readings[name]:
            _check_charset(charset)
    if not any(readings.values()):
        raise UserError("say --charset, or set declared_charsets or default_charset of the PACS in pacslake.toml")
    return readings


def _redecode(lake: Lake, readings: Mapping[str, list[Reading]], writer: LakeWriter | None) -> list[Outcome]:
    outcomes = []
    sweep_id = f"redecode-{uuid.uuid4().hex}"
    for name, level in product(readings, Level):
        outcome = Outcome(name, level.value)
        added = added_attributes(lake.added.get(level.entity, ()))
        for declared, charset in readings[name]:
            for rows in kept_rows(lake, level, Selection(name, PROBLEMS, declared)):
                again = redecode(rows, level, charset, added)
                outcome.rows += rows.num_rows
                outcome.changed += again.rows.num_rows
                outcome.malformed += again.malformed
                if writer is not None:
                    writer.stage(level, name, sweep_id, again.rows)
        if outcome.rows:
            outcomes.append(outcome)
    return outcomes


def report(outcomes: Sequence[Outcome], *, as_json: bool, dry_run: bool) -> str:
    """Say what came of it: a table, or a list of JSON objects."""
    if as_json:
        return json.dumps([asdict(outcome) for outcome in outcomes], indent=2)
    if not outcomes:
        return "There is no such text in the lake: nothing to read again."
    names = ("pacs", "level", "rows", "would change" if dry_run else "changed", "still malformed")
    return "\n".join(render(names, [tuple(asdict(outcome).values()) for outcome in outcomes], None))


def _check_charset(terms: str) -> None:
    if charset_of(terms).problem:
        wrong = next(term for term in terms.split("\\") if charset_of(term).problem)
        near = difflib.get_close_matches(wrong, known_terms(), n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else "ISO_IR 100 is Latin-1, ISO_IR 192 UTF-8, GB18030 Chinese"
        raise UserError(f"{wrong!r} is no value of SpecificCharacterSet (PS3.3 C.12.1.1.2); {hint}")
