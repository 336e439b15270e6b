"""`pacslake check`: examine one PACS, show what was found, keep it for sweeps.

Touches: network, disk, clock, standard output and error.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import textwrap
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import click
import pyarrow as pa

from crawler.decode.decode import decode
from crawler.errors import LakeError
from crawler.lake.resume import busy_day
from crawler.lake.writer import LakeWriter
from crawler.model import Finding, Identifiers, Level, Peer
from crawler.pacs.check.examine import Examination, Plan
from crawler.pacs.check.verdict import Grade, Verdict
from crawler.pacs.check.web import WebExamination
from crawler.pacs.profile import profile_from
from crawler.settings import Settings
from crawler.words import many
from jobs.exits import Exit
from jobs.permission import admitted, gate_of, manners_of, watching
from jobs.wiring import colors_wanted

SECONDS = 26.0
SECONDS_BROAD = 300.0
"""How long it may take, and how long when everything may be asked for."""
QUESTIONS = 60
"""So many at most, which takes longer where there are limits."""
_WIDEST, _NARROWEST = 120, 60
_INDENT = 28
_COLORS = {Grade.OK: "green", Grade.NOTE: "yellow", Grade.PROBLEM: "red"}


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """Which PACS, a day that has studies (None: one from the lake, or a recent one), and what may be asked."""

    pacs: str
    day: date | None = None
    broad: bool = False
    as_json: bool = False


@dataclass
class Report:
    """What has been found so far."""

    verdicts: list[tuple[str, Verdict]] = field(default_factory=list)
    """Each with the title of its section."""
    reached: bool = False
    queries: int = 0
    seconds: float = 0.0
    kept: str = ""
    """What became of the findings."""


def run_check(settings: Settings, request: CheckRequest) -> int:
    """Examine a PACS; give the exit code: 0 all is well, 1 not reached, 3 problems found. NotNowError outside hours."""
    peer, began = settings.peer(request.pacs), time.monotonic()
    admitted(settings, [request.pacs])
    report = Report()
    if not request.as_json:
        way = f"{peer.called_ae} at {peer.host}:{peer.port}, called as {peer.calling_ae}"
        click.echo(f"{peer.name}: {peer.web.url if peer.web else way}")
    asyncio.run(_examine(settings, request, report))
    report.seconds = time.monotonic() - began
    report.kept = _keep(settings, _findings(report, request.pacs, datetime.now(UTC)))
    if request.as_json:
        click.echo(json.dumps(_as_values(peer, report), indent=2))
    else:
        click.echo(f"\n{_summary(report)}")
    if not report.reached:
        return Exit.ERROR
    return Exit.PARTIAL if any(one.grade is Grade.PROBLEM for _, one in report.verdicts) else Exit.OK


async def _examine(settings: Settings, request: CheckRequest, report: Report) -> None:
    pacs = settings.pacs[request.pacs]
    profile = profile_from([], pacs.overrides)

    def decoded(batch: Identifiers, level: Level) -> pa.Table:
        return decode(batch, level, default_charset=pacs.charsets, study_modality=profile.study_modality)

    day = request.day
    with suppress(LakeError):  # a check does not need a lake
        day = day or busy_day(settings.lake.path, request.pacs)
    gate = gate_of(settings, request.pacs)
    gate.insists = True
    plan = Plan(pacs.model, pacs.max_associations, date.today(), day, request.broad, profile, gate.asking)
    peer = settings.peer(request.pacs)
    examination = WebExamination(peer, peer.web, plan) if peer.web else Examination(peer, plan, decoded)
    seconds = manners_of(settings, request.pacs).lasting(QUESTIONS, SECONDS_BROAD if request.broad else SECONDS)
    try:
        async with watching(settings, {request.pacs: gate}), asyncio.timeout(seconds):
            await _go_through(examination, request, report)
    except TimeoutError:
        text = f"not everything was looked at within {seconds:g} s: the PACS is slow or silent"
        _add(report, request, "Time", Verdict("time", Grade.NOTE, text))
    finally:
        await examination.close()
    report.reached, report.queries = examination.reached, examination.queries
    if report.reached and gate.standing.failures:
        gate.shared.forget_failures()


async def _go_through(examination: Examination | WebExamination, request: CheckRequest, report: Report) -> None:
    for title, section in examination.sections:
        async for verdict in section():
            _add(report, request, title, verdict)
        if not examination.reached:
            break


def _add(report: Report, request: CheckRequest, title: str, verdict: Verdict) -> None:
    begins = not report.verdicts or report.verdicts[-1][0] != title
    report.verdicts.append((title, verdict))
    if not request.as_json:
        click.echo((f"\n{title}\n" if begins else "") + as_text(verdict))


def as_text(verdict: Verdict) -> str:
    """Give a verdict as lines for a person, as wide as the terminal."""
    width = max(_NARROWEST, min(_WIDEST, shutil.get_terminal_size().columns))
    grade = f"{verdict.grade.value:<7}"
    shown = click.style(grade, fg=_COLORS[verdict.grade]) if colors_wanted() else grade
    lines = textwrap.wrap(verdict.text, width - _INDENT, break_long_words=False, break_on_hyphens=False)
    if verdict.remedy:
        lines += textwrap.wrap(f"→ {verdict.remedy}", width - _INDENT, subsequent_indent="  ", break_on_hyphens=False)
    margin = "\n" + " " * _INDENT
    return f"  {shown} {verdict.check:<{_INDENT - 11}} {margin.join(lines)}"


def _summary(report: Report) -> str:
    grades = Counter(verdict.grade for _, verdict in report.verdicts)
    words = {Grade.OK: "ok", Grade.NOTE: "to note", Grade.PROBLEM: "to mend"}
    counts = ", ".join(f"{grades[grade]} {word}" for grade, word in words.items())
    spent = f"{many(len(report.verdicts), 'check')}, {many(report.queries, 'query')}, {report.seconds:.1f} s"
    return f"{spent}: {counts}.\n{report.kept}"


def _findings(report: Report, pacs: str, moment: datetime) -> list[Finding]:
    """Give what was learned; where two checks speak of one thing, what is worse for the PACS stands."""
    order = sorted(report.verdicts, key=lambda one: list(Grade).index(one[1].grade))
    learned = {
        (one.name, one.level): Finding(pacs, one.level, one.name, one.value, verdict.text, moment)
        for _, verdict in order
        for one in verdict.learned
    }
    return list(learned.values())


def _keep(settings: Settings, findings: list[Finding]) -> str:
    """Write findings where the lake is free; say what became of them."""
    if not findings:
        return "Nothing was learned."
    try:
        with LakeWriter.open(settings.lake.path, create=settings.lake.create) as writer:
            writer.commit(findings=findings)
    except LakeError as error:
        return f"What was learned is not kept: {error}"
    return f"{len(findings)} findings are kept in the lake; sweeps obey them."


def _as_values(peer: Peer, report: Report) -> dict[str, Any]:
    """Give the report as what JSON can hold."""
    return {
        "pacs": peer.name,
        "reached": report.reached,
        "queries": report.queries,
        "seconds": round(report.seconds, 3),
        "kept": report.kept,
        "checks": [
            {
                "section": title,
                "check": one.check,
                "grade": one.grade.value,
                "text": one.text,
                "remedy": one.remedy,
                "learned": [
                    {"level": each.level.value if each.level else None, "name": each.name, "value": each.value}
                    for each in one.learned
                ],
            }
            for title, one in report.verdicts
        ],
    }
