"""`pacslake doctor`: is this installation fit to work? A line for each thing, and what to type where it is not.

Touches: network, disk, clock, standard output.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from crawler.errors import NotNowError, UserError
from crawler.pacs.check.verdict import Grade, Verdict, note, ok, problem
from crawler.settings import Settings
from jobs import installed, surroundings
from jobs.check import as_text
from jobs.echo import call_all
from jobs.exits import Exit
from jobs.pacs import pacs_values
from jobs.peers import Calling, Peers
from jobs.wiring import settings_from, shipped

Line = tuple[str, Verdict]
"""A verdict, and the title of its section."""


def run_doctor(config: Path, *, peers: bool, as_json: bool) -> Exit:
    """Look at everything; give the exit code: 0 nothing has to be mended, 3 something has."""
    lines: list[Line] = []
    for title, verdict in _lines(config, peers=peers):
        if not as_json:
            begins = not lines or lines[-1][0] != title
            click.echo((f"\n{title}\n" if begins else "") + as_text(verdict))
        lines.append((title, verdict))
    click.echo(json.dumps([_values(*line) for line in lines], indent=2) if as_json else f"\n{_summary(lines)}")
    return Exit.PARTIAL if any(verdict.grade is Grade.PROBLEM for _, verdict in lines) else Exit.OK


def _lines(config: Path, *, peers: bool) -> Iterator[Line]:
    for part in (installed.of_python(), installed.of_packages(shipped(installed.LOCK)), installed.of_extra()):
        yield from (("Installation", verdict) for verdict in part)
    try:
        settings = settings_from(config)
    except UserError as error:
        remedy = "mend that line" if config.exists() else "pacslake init"
        yield "Settings", problem("settings", str(error), f"{remedy}; what follows from it was not looked at")
        return
    yield "Settings", ok("settings", f"{config.absolute()} is right: {len(settings.pacs)} PACS")
    for title, part in (
        ("Settings", surroundings.of_the_clock(settings)),
        ("Settings", surroundings.of_secrets(settings)),
        ("Settings", surroundings.of_certificates(settings)),
        ("Disk", surroundings.of_folders(settings)),
        ("Disk", surroundings.of_lake(settings)),
        ("Network", surroundings.of_ports(settings)),
        ("Network", surroundings.of_queue(settings)),
        ("PACS", _called(settings, config) if peers else _standing(settings)),
    ):
        yield from ((title, verdict) for verdict in part)


def _standing(settings: Settings) -> Iterator[Verdict]:
    """Say of each PACS whether it may be asked now, without asking it."""
    if not settings.pacs:
        yield note("pacs", "no PACS is configured", remedy="a section [pacs.NAME] in pacslake.toml says where one is")
    for one in pacs_values(settings, datetime.now(UTC)):
        if one["may_be_asked"]:
            yield ok(one["pacs"], f"{one['now']}; --peers tries whether it answers")
        else:
            yield note(one["pacs"], one["now"])


def _called(settings: Settings, config: Path) -> Iterator[Verdict]:
    """Send each PACS that may be asked now a C-ECHO."""
    by_web = [name for name, pacs in settings.pacs.items() if pacs.web]
    for name in by_web:
        yield note(name, "is asked by DICOMweb, which has no C-ECHO", remedy=f"pacslake check {name}")
    for one in pacs_values(settings, datetime.now(UTC)):
        if not one["may_be_asked"] and not settings.pacs[one["pacs"]].web:
            yield note(one["pacs"], one["now"])
    names = [name for name in settings.pacs if name not in by_web]
    if not names:
        return
    try:
        echoes = asyncio.run(call_all(Peers(names, Calling(config)), 1))
    except NotNowError:
        return  # each has its note
    for echo in echoes:
        peer = echo.called.peer
        if echo.well:
            yield ok(peer.name, f"{peer.called_ae} at {peer.host}:{peer.port} answers, in {echo.took_ms[0]:.0f} ms")
        else:
            text = echo.trouble or f"it answers C-ECHO with {echo.values()['status']}"
            yield problem(peer.name, text, f"pacslake check {peer.name} says more")


def _values(title: str, verdict: Verdict) -> dict[str, str]:
    return {
        "section": title,
        "check": verdict.check,
        "grade": verdict.grade.value,
        "text": verdict.text,
        "remedy": verdict.remedy,
    }


def _summary(lines: list[Line]) -> str:
    grades = Counter(verdict.grade for _, verdict in lines)
    return f"{grades[Grade.OK]} ok, {grades[Grade.NOTE]} to note, {grades[Grade.PROBLEM]} to mend."
