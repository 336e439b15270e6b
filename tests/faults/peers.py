"""A PACS made of a script: what it sends is written out, to the byte, whatever DICOM allows. Touches: network.

with scripted(play) as pacs:
    ...  # pacs.port is called; each connection is handed to play(line), in a thread of its own
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from pydicom.datadict import tag_for_keyword

from crawler.model import Model
from crawler.pacs import command as dimse
from crawler.pacs import framing, negotiation
from crawler.pacs.framing import PduBuffer, PduType
from crawler.pacs.messages import Message, Reassembler
from crawler.pacs.negotiation import IMPLICIT_VR, Proposal
from crawler.pacs.sop_classes import FIND_CLASSES

STUDY_ROOT, PATIENT_ROOT = FIND_CLASSES[Model.STUDY_ROOT], FIND_CLASSES[Model.PATIENT_ROOT]
OFFERED: Mapping[str, Sequence[str]] = {STUDY_ROOT: (IMPLICIT_VR,), dimse.VERIFICATION: (IMPLICIT_VR,)}
PENDING, SUCCESS, CANCELLED = 0xFF00, 0x0000, 0xFE00
_ANY_PDU = dict.fromkeys(PduType, 1 << 20)


class OverError(Exception):
    """The caller has ended the association."""


class Line:
    """One connection, as the PACS has it."""

    def __init__(self, sock: socket.socket, pacs: Scripted) -> None:
        self.sock = sock
        self.pacs = pacs
        self._buffer = PduBuffer(1 << 20, _ANY_PDU)
        self._reassembler = Reassembler(1 << 20)

    def accept(self, offered: Mapping[str, Sequence[str]] = OFFERED) -> Proposal:
        """Read the A-ASSOCIATE-RQ, and grant what is offered of it."""
        proposal = self.proposed()
        self.send(negotiation.agree(proposal, offered, 16384, {})[0])
        return proposal

    def proposed(self) -> Proposal:
        """Read the A-ASSOCIATE-RQ."""
        proposal = negotiation.decode_request(self._next_pdu())
        self.pacs.proposed_syntaxes.update(*(context.transfer_syntaxes for context in proposal.contexts))
        return proposal

    def question(self) -> Message:
        """Wait for the next request, C-CANCEL among them. Raises OverError."""
        while True:
            for pdv in framing.split_pdvs(self._next_pdu().body):
                if (message := self._reassembler.add(pdv)) is not None:
                    self.pacs.asked.append((message, time.monotonic()))
                    return message

    def row(self, request: Message, identifier: bytes, status: int = PENDING) -> bytes:
        """Give one response with an identifier, framed."""
        command = dimse.response(request.command, status, has_dataset=True)
        return framing.frame_message(request.context_id, command, identifier)

    def rows(self, request: Message, identifiers: Sequence[bytes]) -> None:
        """Send responses."""
        self.send(b"".join(self.row(request, one) for one in identifiers))

    def final(self, request: Message, status: int = SUCCESS) -> None:
        """Send the final response."""
        self.send(framing.frame_message(request.context_id, dimse.response(request.command, status), None))

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.sock.sendall(data)

    def close(self) -> None:
        """Close the connection from this side by a FIN."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Cut the connection by a RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def has_more(self, seconds: float) -> bool:
        """Wait so long for something of the caller's; say whether it came. Raises OverError."""
        self.sock.settimeout(seconds)
        try:
            return bool(self.sock.recv(1, socket.MSG_PEEK)) or self._over("closed")
        except TimeoutError:
            return False
        finally:
            self.sock.settimeout(None)

    def _next_pdu(self) -> framing.Pdu:
        while (pdu := self._buffer.take()) is None:
            received = self.sock.recv(65536)
            if not received:
                self._over("closed")
            self._buffer.feed(received)
        if pdu.type is PduType.ABORT:
            self._over("aborted")
        if pdu.type is PduType.RELEASE_RQ:
            self.send(framing.frame(PduType.RELEASE_RP))
            self._over("released")
        return pdu

    def _over(self, how: str) -> bool:
        self.pacs.ends.append((how, time.monotonic()))
        raise OverError(how)


Play = Callable[[Line], None]


@dataclass
class Scripted:
    """What a scripted PACS has seen."""

    port: int
    connections: list[float] = field(default_factory=list)
    """When each came, by the monotonic clock."""
    proposed_syntaxes: set[str] = field(default_factory=set)
    asked: list[tuple[Message, float]] = field(default_factory=list)
    """Requests, C-CANCEL among them, and when each came."""
    ends: list[tuple[str, float]] = field(default_factory=list)
    """How callers ended associations, `released`, `aborted`, or `closed` without a word, and when."""

    @property
    def cancels(self) -> list[float]:
        """When each C-CANCEL came."""
        return [when for message, when in self.asked if message.command.field == dimse.C_CANCEL_RQ]


@contextmanager
def scripted(play: Play, host: str = "127.0.0.1", port: int = 0) -> Iterator[Scripted]:
    """Listen, and hand each connection to a script; after it, only listen to the caller."""
    with socket.create_server((host, port)) as server:
        pacs, lines = Scripted(server.getsockname()[1]), list[socket.socket]()

        def serve() -> None:
            with suppress(OSError):  # the server was closed
                while True:
                    sock, _ = server.accept()
                    lines.append(sock)
                    pacs.connections.append(time.monotonic())
                    threading.Thread(target=_play, args=(play, Line(sock, pacs)), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield pacs
        server.shutdown(socket.SHUT_RDWR)
        for sock in lines:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()


def _play(play: Play, line: Line) -> None:
    with suppress(OverError, OSError):
        play(line)
        while True:
            line.question()


def answering(*identifiers: bytes, status: int = SUCCESS) -> Play:
    """Give the script of a PACS that answers every question with the same rows."""

    def play(line: Line) -> None:
        line.accept()
        while True:
            request = line.question()
            line.rows(request, identifiers)
            line.final(request, status)

    return play


def identifier(**values: str | bytes) -> bytes:
    """Encode an identifier in Implicit VR, by keyword; values are written as they are, legal or not."""
    tags = {tag_for_keyword(keyword): value for keyword, value in values.items()}
    return b"".join(element(tag or 0, tags[tag]) for tag in sorted(tags, key=int))  # type: ignore[arg-type]  # known


def element(tag: int, value: str | bytes) -> bytes:
    """Encode an element in Implicit VR, padded to an even length."""
    data = value.encode() if isinstance(value, str) else value
    data += b" " * (len(data) % 2)
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(data)) + data
