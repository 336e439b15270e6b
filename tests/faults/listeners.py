"""The two ports of ours on which others call, each in its process, and how hostile and honest peers call them.

Touches: network, processes, disk.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crawler.pacs import framing
from crawler.pacs.framing import HEADER, PduType
from crawler.pacs.negotiation import Context, Proposal, encode_request
from tests.integration.sending import CT, EXPLICIT

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
OURS, HONEST = "PACSLAKE", "SCU"
"""AE titles of both listeners, and of who may call them."""
HOSTILE = "127.0.0.2"
"""Where hostile peers call from."""


@dataclass(frozen=True)
class Listener:
    """One of the two."""

    name: str
    port: int
    pids: tuple[int, ...]
    """Of its processes."""
    said: Callable[[], list[dict[str, Any]]]
    """Gives what is in its log."""
    store: Path | None = None
    """Where it puts what comes."""

    def events(self, event: str) -> list[dict[str, Any]]:
        """Give what it logged of one kind."""
        return [one for one in self.said() if one.get("event") == event]

    @contextmanager
    def growth(self, most: int) -> Iterator[None]:
        """Check that its memory never grows by more than so many bytes while the block runs."""
        before = self._settled()
        for pid in self.pids:
            Path(f"/proc/{pid}/clear_refs").write_text("5")
        yield
        grown = self._status("VmHWM") - before
        assert grown <= most, f"grew by {grown >> 10:,} KiB"

    def _settled(self) -> int:
        """Wait until its memory changes no more, as that of a process does that has just begun; give it."""
        before, now = -1, self._status("VmRSS")
        while now != before:
            time.sleep(0.5)
            before, now = now, self._status("VmRSS")
        return now

    def _status(self, field: str) -> int:
        """Give it of all its processes together."""
        statuses = [Path(f"/proc/{pid}/status").read_text() for pid in self.pids]
        return sum(int(re.findall(rf"{field}:\s+(\d+) kB", status)[0]) for status in statuses) << 10

    @contextmanager
    def called(self, address: str = HOSTILE) -> Iterator[socket.socket]:
        """Connect from an address."""
        with socket.create_connection(("127.0.0.1", self.port), 30, (address, 0)) as link:
            yield link

    @contextmanager
    def associated(self) -> Iterator[socket.socket]:
        """Open an association as somebody who may."""
        with self.called("127.0.0.1") as link:
            link.sendall(request())
            kind, _, length = HEADER.unpack(_exactly(link, HEADER.size))
            _exactly(link, length)
            assert kind == PduType.ASSOCIATE_AC
            yield link

    def answer_to(self, sent: bytes, address: str = HOSTILE) -> bytes:
        """Give all that comes back until the end, when somebody sends this."""
        with self.called(address) as link:
            link.sendall(sent)
            return rest(link)


class Honest:
    """DCMTK's echoscu, which wants an answer now and then."""

    def __init__(self, echoscu: Path, port: int) -> None:
        self._command = [str(echoscu), "-aet", HONEST, "-aec", OURS, "-to", "30", "127.0.0.1", str(port)]

    def seconds(self) -> float:
        """Give how long an association with a C-ECHO takes, program start included."""
        began = time.monotonic()
        done = subprocess.run(self._command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return time.monotonic() - began


@contextmanager
def flooding(listener: Listener, seconds: float, what: bytes) -> Iterator[subprocess.Popen[str]]:
    """Have it called by a flood of connections for so long at most; `tests.faults.flooding` says how."""
    command = [sys.executable, "-m", "tests.faults.flooding", str(listener.port), str(seconds), what.hex()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def rest(link: socket.socket) -> bytes:
    """Give what comes until the other side closes, in one way or the other."""
    came = bytearray()
    try:
        while piece := link.recv(65536):
            came += piece
    except ConnectionResetError:
        pass
    return bytes(came)


def request(called: str = OURS, calling: str = HONEST) -> bytes:
    """Give an A-ASSOCIATE-RQ for storage and for queries."""
    contexts = (Context(1, CT, (EXPLICIT,)), Context(3, STUDY_ROOT_FIND, (EXPLICIT,)))
    return encode_request(Proposal(calling, called, contexts, 16384))


def fragment(context_id: int, data: bytes, *, command: bool = False, last: bool = False) -> bytes:
    """Give one PDV in a PDU of its own."""
    control = (framing.COMMAND if command else 0) | (framing.LAST if last else 0)
    pdv = framing.PDV_HEADER.pack(len(data) + 2, context_id, control)
    return HEADER.pack(PduType.P_DATA, 0, len(data) + len(pdv)) + pdv + data


def told(log: Path) -> list[dict[str, Any]]:
    """Read the lines of a log that are JSON."""
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


def _exactly(link: socket.socket, size: int) -> bytes:
    came = b""
    while len(came) < size:
        piece = link.recv(size - len(came))
        assert piece, "closed"
        came += piece
    return came
