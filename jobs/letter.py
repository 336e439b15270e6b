"""`pacslake letter`: one page for the administrator of a PACS, filled in from the settings.

Touches: the name of this machine, and which of its addresses reaches the PACS (nothing is sent).
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from itertools import groupby

from crawler.model import Model
from crawler.plan.hours import DAY
from crawler.plan.polite import FAILURES
from crawler.settings import PacsSettings, Settings

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_LINE = "________________________"
_MOVED = "Where that was agreed on, it has images sent to it (C-{way}). "


def letter(settings: Settings, name: str) -> str:
    """Give the page as Markdown."""
    pacs = settings.pacs[name]
    people = ("runs pacslake", "answers for the data", "can be called by night")
    sections = (
        ("Who calls", _rows(_who(settings, pacs))),
        ("What to register", "\n".join(f"- {line}" for line in _to_register(settings, pacs))),
        ("What load to expect", _rows(_load(settings, pacs))),
        ("How to stop it", "\n".join(f"- {line}" for line in _stops(settings, name))),
        (
            "Whom to call",
            _rows((who, _LINE) for who in people),
        ),
    )
    parts = "\n\n".join(f"## {title}\n\n{text}" for title, text in sections)
    moved = "" if pacs.web or pacs.model is Model.WORKLIST else _MOVED.format(way=pacs.retrieve_by.upper())
    return f"""# To the administrator of {pacs.web.url if pacs.web else pacs.ae_title}

pacslake asks your PACS what it holds ({"QIDO-RS" if pacs.web else "C-ECHO, C-FIND"}) and keeps the answers as tables.
{moved}It stores, changes and deletes nothing. What came of each question is written down at our side, with its time.
`pacslake conformance` prints the DICOM Conformance Statement.

{parts}"""


def _who(settings: Settings, pacs: PacsSettings) -> Iterator[tuple[str, str]]:
    yield "our AE title", settings.local.ae_title
    yield "our host", f"{socket.gethostname()}, {_address(pacs) or _LINE}"
    if pacs.web:
        yield "your address", f"{pacs.web.url} (DICOMweb: QIDO-RS)"
        return
    yield "your AE title, host, port", f"{pacs.ae_title}, {pacs.host}, {pacs.port}"
    levels = "" if pacs.model is Model.WORKLIST else f", levels {_levels(pacs)}"
    yield "service", f"C-FIND, {pacs.model.known_as}{levels}"
    yield "encryption", "TLS 1.2 or 1.3" if pacs.tls else "none: DICOM in the clear"


def _to_register(settings: Settings, pacs: PacsSettings) -> Iterator[str]:
    if pacs.web:
        yield "a user or token for us, with the right to search; nothing else"
        return
    yield f"AE title {settings.local.ae_title} at our host, with the right to query (C-ECHO, C-FIND)"
    if pacs.model is not Model.WORKLIST and pacs.retrieve_by == "move":
        where = f"{settings.local.ae_title} at our host, port {settings.local.port}"
        yield f"if images are to be retrieved: {where}, as a destination of C-MOVE; firewalls must let you call it"
    elif pacs.model is not Model.WORKLIST:
        yield "if images are to be retrieved: the right to C-GET; no port of ours is called"
    if pacs.tls:
        yield "our certificate, or its CA, as trusted, where you ask callers for one"


def _load(settings: Settings, pacs: PacsSettings) -> Iterator[tuple[str, str]]:
    yield "associations at a time" if not pacs.web else "requests at a time", f"{pacs.max_associations} at most"
    queries = pacs.max_queries_per_minute
    yield "queries a minute", f"{queries} at most" if queries else "no fixed limit: as many as you answer at that"
    if pacs.duty_cycle < 1:
        yield "share of the time", f"{pacs.duty_cycle:.0%}, the rest is silence"
    yield "when", f"{_hours(pacs)} ({settings.local.time_zone})"
    yield "when you are slow", "asked less, down to a tenth, as soon as answers take three times as long as usual"
    patience = f"left alone after {FAILURES} questions in a row, for half a minute, then longer, up to an hour"
    yield "when you do not answer", patience


def _stops(settings: Settings, name: str) -> Iterator[str]:
    yield f"call us: `pacslake pacs pause {name}` ends all questions to you within seconds"
    if settings.local.kill_switch:
        yield f"we make the file {settings.local.kill_switch}: nothing is asked anywhere"
    ours = settings.local.ae_title
    yield f"by yourself: take {ours} off the list of who may call: rejected, it tells us and ends its sweep"


def _hours(pacs: PacsSettings) -> str:
    if pacs.allowed_hours is None:
        return "at any time"
    told = []
    for spans, days in groupby(zip(_DAYS, pacs.allowed_hours.week, strict=True), lambda one: one[1]):
        names = [name for name, _ in days]
        first_to_last = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
        told += (
            [f"{first_to_last} {', '.join(f'{_clock(low)}-{_clock(high)}' for low, high in spans)}"] if spans else []
        )
    if (holidays := pacs.allowed_hours.holidays) is not None:
        told.append(f"holidays {', '.join(f'{_clock(low)}-{_clock(high)}' for low, high in holidays) or 'never'}")
    return "; ".join(told)


def _clock(minutes: int) -> str:
    """Write minutes since midnight; those beyond a day lie on the next."""
    within = minutes if minutes <= DAY else minutes - DAY
    return f"{within // 60:02}:{within % 60:02}"


def _levels(pacs: PacsSettings) -> str:
    return ", ".join(level.query_retrieve_level for level in pacs.levels)


def _address(pacs: PacsSettings) -> str | None:
    """Give the address of ours that the PACS sees: a datagram socket that is connected sends nothing."""
    if pacs.web:
        return None
    with suppress(OSError):
        kind, _, _, _, address = socket.getaddrinfo(pacs.host, pacs.port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(kind, socket.SOCK_DGRAM) as ours:
            ours.connect(address)
            return str(ours.getsockname()[0])
    return None


def _rows(rows: Iterator[tuple[str, str]]) -> str:
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])
