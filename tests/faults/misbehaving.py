"""How PACS misbehave on the network while they are asked: scripts for peers.py. Touches: network, clock."""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Callable, Mapping, Sequence

from crawler.model import Model
from crawler.pacs import framing
from crawler.pacs.command import C_CANCEL_RQ
from crawler.pacs.framing import HEADER, PDV_HEADER, PduType
from crawler.pacs.messages import Message
from crawler.pacs.negotiation import IMPLICIT_VR
from crawler.testing.question import read_question
from tests.faults.peers import CANCELLED, PATIENT_ROOT, Line, Play, element, identifier
from tests.faults.planted import ACCESSION, BIRTH_DATE, NAME, PATIENT_ID

DAY = "20240226"
DEFLATED = "1.2.840.10008.1.2.1.99"
SHORTLY = 0.3
"""Seconds from one row to the next, or from one byte."""
Garbage = Callable[[Line, Message], bytes]


def study(number: int = 1, **more: str | bytes) -> bytes:
    """Give the identifier of a study of the day, of the planted patient."""
    usual = {
        "QueryRetrieveLevel": "STUDY",
        "StudyInstanceUID": f"2.25.{number}",
        "StudyDate": DAY,
        "StudyTime": f"{number % 24:02}0000",
        "PatientID": PATIENT_ID,
        "PatientName": NAME,
        "PatientBirthDate": BIRTH_DATE,
        "AccessionNumber": ACCESSION,
    }
    return identifier(**(usual | more))


TWO_ROWS = [study(1), study(2)]


def then(end: Callable[[Line, Message], None]) -> Play:
    """Give the script of a PACS that answers two rows and then does this."""

    def play(line: Line) -> None:
        line.accept()
        request = line.question()
        line.rows(request, TWO_ROWS)
        time.sleep(SHORTLY)  # a reset discards what was not yet read
        end(line, request)

    return play


def rejecting(result: int, source: int, reason: int) -> Play:
    """Give the script of a PACS that rejects associations."""

    def play(line: Line) -> None:
        line.proposed()
        line.send(framing.frame(PduType.ASSOCIATE_RJ, bytes((0, result, source, reason))))

    return play


def busy_at_first(times: int) -> Play:
    """Give the script of a PACS that has no room for so many associations, and then has two rows."""

    def play(line: Line) -> None:
        busy = len(line.pacs.connections) <= times
        (rejecting(2, 3, 2) if busy else having(TWO_ROWS))(line)

    return play


def having(identifiers: Sequence[bytes]) -> Play:
    """Give the script of a PACS that has these rows of the day."""

    def play(line: Line) -> None:
        line.accept()
        while True:
            request = line.question()
            line.rows(request, identifiers if asks_for_the_day(read(request)) else ())
            line.final(request)

    return play


def read(request: Message) -> Mapping[str, str]:
    """Give the keys of a question."""
    return read_question(request.dataset, explicit_vr=False, model=Model.STUDY_ROOT).keys


def asks_for_the_day(keys: Mapping[str, str]) -> bool:
    """Whether a question is, among others, about the day."""
    first, dash, last = keys.get("StudyDate", "").partition("-")
    return first <= DAY <= (last or (DAY if dash else first))


def offering(*sop_classes: str) -> Play:
    """Give the script of a PACS that accepts associations for these alone."""

    def play(line: Line) -> None:
        line.accept(dict.fromkeys(sop_classes, (IMPLICIT_VR,)))

    return play


def _half_a_row(line: Line, request: Message) -> None:
    line.send(line.row(request, study(3))[:-9])
    line.close()


BREAKING_OFF: Mapping[str, Play] = {
    "aborts": then(lambda line, _: line.send(framing.abort())),
    "aborts_as_provider": then(lambda line, _: line.send(framing.abort(source=2, reason=6))),
    "releases": then(lambda line, _: line.send(framing.frame(PduType.RELEASE_RQ))),
    "resets": then(lambda line, _: line.reset()),
    "closes": then(lambda line, _: line.close()),
    "closes_in_a_row": then(_half_a_row),
}


def never_accepts(line: Line) -> None:
    """Take the association request, and say nothing."""
    line.proposed()
    line.question()


def never_answers(line: Line) -> None:
    """Take the question, and say nothing."""
    line.accept()
    line.question()


SILENT: Mapping[str, Play] = {
    "never_accepts": never_accepts,
    "never_answers": never_answers,
    "falls_silent": then(lambda *_: None),
}


def drips_rows(line: Line, *, heeds_cancel: bool = True) -> None:
    """Send a row now and then, without end; stop at a C-CANCEL."""
    line.accept()
    request, number = line.question(), 0
    while not (line.has_more(SHORTLY) and _is_cancelled(line) and heeds_cancel):
        number += 1
        line.rows(request, [study(number)])
    line.final(request, CANCELLED)


def _is_cancelled(line: Line) -> bool:
    return line.question().command.field == C_CANCEL_RQ


def ignores_cancel(line: Line) -> None:
    """Send a row now and then, without end."""
    drips_rows(line, heeds_cancel=False)


def drips_bytes(line: Line) -> None:
    """Send a row byte by byte."""
    line.accept()
    _drip(line, line.row(line.question(), study()))


def drips_acceptance(line: Line) -> None:
    """Accept the association byte by byte."""
    line.proposed()
    _drip(line, _pdu(bytes(80), kind=PduType.ASSOCIATE_AC))


def _drip(line: Line, data: bytes) -> None:
    for byte in data:
        line.send(bytes((byte,)))
        if line.has_more(SHORTLY):
            line.question()


def _pdu(body: bytes, kind: int = PduType.P_DATA, length: int | None = None) -> bytes:
    return HEADER.pack(kind, 0, len(body) if length is None else length) + body


def _pdv(request: Message, data: bytes, control: int, length: int | None = None) -> bytes:
    return PDV_HEADER.pack(len(data) + 2 if length is None else length, request.context_id, control) + data


MALFORMED: Mapping[str, tuple[Garbage, str]] = {
    "pdu_too_long": (lambda *_: _pdu(b"", length=0xFFFF_FFFF), "a PDU of 4294967295 bytes"),
    "pdu_empty": (lambda *_: _pdu(b""), "a P-DATA-TF without a PDV"),
    "pdu_unknown": (lambda *_: _pdu(b"", kind=9), "PDU type 0x09, which may not come now"),
    "pdu_misplaced": (lambda *_: _pdu(bytes(68), kind=PduType.ASSOCIATE_AC), "PDU type 0x02, which may not come now"),
    "pdv_too_long": (lambda _, request: _pdu(_pdv(request, bytes(8), 3, length=999)), "a PDV of 999 bytes"),
    "pdv_empty": (lambda _, request: _pdu(_pdv(request, b"", 3, length=0)), "a PDV of 0 bytes"),
    "pdv_cut_short": (lambda *_: _pdu(b"\0\0\0"), "ends inside a PDV header"),
    "dataset_first": (lambda _, request: _pdu(_pdv(request, study(3), 2)), "a dataset before its command"),
    "command_torn": (lambda _, request: _pdu(_pdv(request, element(0x100, b"ab")[:-1], 3)), "a malformed command set"),
    "command_empty": (lambda _, request: _pdu(_pdv(request, b"", 3)), "a command set without a command field"),
}
"""What comes after two good rows, and what is said of it."""


def malformed(garbage: Garbage) -> Play:
    """Give the script of a PACS that sends this after two rows."""
    return then(lambda line, request: line.send(garbage(line, request)))


def accepts_with(body: bytes) -> Play:
    """Give the script of a PACS whose A-ASSOCIATE-AC is this."""

    def play(line: Line) -> None:
        line.proposed()
        line.send(_pdu(body, kind=PduType.ASSOCIATE_AC))

    return play


def patient_root_alone(line: Line) -> None:
    """Answer by Patient Root: a patient, and their two studies."""
    line.accept({PATIENT_ROOT: (IMPLICIT_VR,)})
    patients = [identifier(QueryRetrieveLevel="PATIENT", PatientID=PATIENT_ID)]
    while True:
        request = line.question()
        line.rows(request, patients if b"PATIENT" in request.dataset else TWO_ROWS)
        line.final(request)


def sends_a_bomb(line: Line) -> None:
    """Answer with bytes that inflate a thousandfold, in a context that is not deflated."""
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    having([bomb.compress(bytes(16_000_000)) + bomb.flush(), *TWO_ROWS])(line)


def accepts_deflated(line: Line) -> None:
    """Accept every context, with a transfer syntax that nobody proposed."""
    proposal = line.proposed()
    items = b"".join(_item(0x21, bytes((one.context_id, 0, 0, 0)) + _item(0x40, DEFLATED)) for one in proposal.contexts)
    length = _item(0x50, _item(0x51, struct.pack(">I", 16384)) + _item(0x52, "1.2.3"))
    titles = proposal.called_ae.encode().ljust(16) + proposal.calling_ae.encode().ljust(16)
    body = b"\0\1\0\0" + titles + bytes(32) + _item(0x10, "1.2.840.10008.3.1.1.1") + items + length
    line.send(_pdu(body, kind=PduType.ASSOCIATE_AC))


def _item(kind: int, content: str | bytes) -> bytes:
    data = content.encode() if isinstance(content, str) else content
    return struct.pack(">BBH", kind, 0, len(data)) + data
