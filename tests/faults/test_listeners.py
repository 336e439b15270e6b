"""Hostile peers at the two ports on which others call us: what they cost, and that honest ones are served meanwhile."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from statistics import median

import pytest

from crawler.pacs import command as dimse
from crawler.pacs.command import encode_command
from crawler.pacs.framing import HEADER, PduType
from crawler.testing.archive import Archive
from tests.acceptance.serving import serving
from tests.acceptance.sweeping import configure
from tests.faults.listeners import (
    HONEST,
    OURS,
    STUDY_ROOT_FIND,
    Honest,
    Listener,
    flooding,
    fragment,
    request,
    rest,
    told,
)
from tests.integration.finding import archived, lake_of
from tests.integration.real_pacs import free_port, wait_for
from tests.integration.sending import CT, in_layout, left_over

MIB = 1 << 20
GREETINGS = {
    "http": b"GET / HTTP/1.1\r\nHost: pacs\r\n\r\n",
    "tls": bytes.fromhex("16030100c8010000c40303") + bytes(range(190)),
    "ssh": b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
    "noise": random.Random(7).randbytes(4000),
}
LARGEST = 8_000_000
"""Bytes of an object."""
IN_TRANSIT = 8 * MIB
"""What the system's buffers may hold of what was sent."""


@pytest.fixture(scope="module", params=["store", "find"])
def listener(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listener]:
    folder = tmp_path_factory.mktemp(request.param)
    with {"store": storing, "find": answering}[request.param](folder) as found:
        yield found


@pytest.fixture(scope="module")
def honest(listener: Listener, dcmtk_tool: Callable[[str], Path]) -> Honest:
    peer = Honest(dcmtk_tool("echoscu"), listener.port)
    peer.seconds()  # what is loaded with the first association is no growth
    return peer


@pytest.fixture(scope="module")
def elsewhere(dcmtk_tool: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Honest]:
    """Give somebody who calls DCMTK's storescp, which nobody floods: what the machine can do meanwhile."""
    port, echoscu = free_port(), dcmtk_tool("echoscu")
    with subprocess.Popen([dcmtk_tool("storescp"), str(port)], cwd=tmp_path_factory.mktemp("other")) as server:
        wait_for(port)
        yield Honest(echoscu, port)
        server.kill()


@contextmanager
def storing(folder: Path) -> Iterator[Listener]:
    """Run what receives objects."""
    log = folder / "log"
    command = [sys.executable, "-m", "tests.faults.store_listener", str(folder / "store"), str(LARGEST)]
    with (
        log.open("wb") as out,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=out) as process,
    ):
        assert process.stdout is not None
        port = int(process.stdout.readline())
        try:
            [child] = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            yield Listener("store", port, (process.pid, int(child)), lambda: told(log), folder / "store")
        finally:
            process.terminate()


@contextmanager
def answering(folder: Path) -> Iterator[Listener]:
    """Run the service with a lake of some studies that answers queries."""
    port = free_port()
    lake_of(folder, {"main": archived(Archive(50, date(2024, 3, 1), date(2024, 3, 5)))})
    configure(folder, {"main": 1})
    file = folder / "pacslake.toml"
    section = f'[find_scp]\nlisten = "127.0.0.1:{port}"\nallow = ["{HONEST}@127.0.0.1"]\n'
    file.write_text(f'{file.read_text()}[serve]\nlisten = ""\n{section}')
    with serving(folder, "--find-scp") as service:
        service.wait_for("lake shown")
        parent = service.process.pid
        [child] = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        yield Listener("find", port, (int(child),), lambda: service.said)


def test_enormous_pdu(listener: Listener, honest: Honest) -> None:
    """Announce 4 GiB, before and in an association, and see that nothing is kept for it."""
    announced = [HEADER.pack(kind, 0, 0xFFFF_FFFF) for kind in (PduType.ASSOCIATE_RQ, PduType.P_DATA, PduType.ABORT, 9)]
    with listener.growth(MIB):
        for sent in announced:
            began = time.monotonic()
            assert listener.answer_to(sent)[:1] in (b"", bytes((PduType.ABORT,)))
            assert time.monotonic() - began < 5
    for sent in announced[1:]:
        with listener.associated() as link:
            began = time.monotonic()
            link.sendall(sent)
            assert rest(link)[:1] == bytes((PduType.ABORT,))
            assert time.monotonic() - began < 5
    assert honest.seconds()


def test_endless_fragments(listener: Listener, honest: Honest) -> None:
    """Send a command, and a dataset, whose last fragment never comes."""
    command = request_command(listener)
    with listener.growth(16 * MIB):
        assert sent_until_cut(listener, lambda: fragment(1, bytes(16_000), command=True)) <= MIB + IN_TRANSIT
        begin = fragment(context(listener), command, command=True, last=True)
        most = LARGEST if listener.store else MIB
        came = sent_until_cut(listener, lambda: fragment(context(listener), dataset_piece(16_000)), begin)
        assert came <= most + IN_TRANSIT
    assert honest.seconds()
    if listener.store:
        assert not in_layout(listener.store)
        assert not left_over(listener.store)


def test_enormous_request(listener: Listener, honest: Honest) -> None:
    """Ask for associations with as much as goes into a request, and with lengths that lie."""
    with listener.growth(4 * MIB):
        for sent in enormous_requests():
            answer = listener.answer_to(sent + HEADER.pack(PduType.ABORT, 0, 4) + bytes(4), "127.0.0.1")
            assert answer[:1] in (bytes((PduType.ASSOCIATE_AC,)), bytes((PduType.ABORT,)))
    assert honest.seconds()


@pytest.mark.parametrize(
    "what", [b"", b"\1", b"GET / HTTP/1.1\r\n\r\n", request()], ids=["silent", "half", "http", "rq"]
)
def test_flood_of_connections(listener: Listener, honest: Honest, elsewhere: Honest, what: bytes, long: bool) -> None:
    """Be called thousands of times a second by somebody who reads no answer, and answer somebody else."""
    seconds, took, otherwise = 60 if long else 3, [], []
    with listener.growth(64 * MIB), flooding(listener, seconds, what) as flood:
        while flood.poll() is None:
            otherwise.append(elsewhere.seconds())
            took.append(honest.seconds())
        assert flood.stdout is not None
        count = int(flood.stdout.read())
    usual = median(otherwise)
    print(f"{listener.name}: {count / seconds:,.0f} a second; slowest {max(took):.3f} s, elsewhere {usual:.3f} s")
    assert count > 100 * seconds
    assert (median if long else min)(took) < 2 + 3 * usual


def test_other_protocols(listener: Listener, honest: Honest, long: bool) -> None:
    """Speak something else, often: each is closed at once, and the log has a line a minute."""
    until = time.monotonic() + (130 if long else 0)
    began, before = time.monotonic(), len(listener.events("connections were closed"))
    while time.monotonic() < until or time.monotonic() - began < 1:
        for sent in GREETINGS.values():
            assert listener.answer_to(sent)[:1] in (b"", bytes((PduType.ABORT,)))
        time.sleep(0.01)
    lines = listener.events("connections were closed")
    assert lines
    assert len(lines) - before <= 1 + (time.monotonic() - began) / 60
    assert lines[0]["host"] == "127.0.0.2"
    assert honest.seconds()


def context(listener: Listener) -> int:
    return 1 if listener.store else 3


def request_command(listener: Listener) -> bytes:
    """Give the command that begins an object, or a query."""
    common = {dimse.MESSAGE_ID: 1, dimse.PRIORITY: 0, dimse.DATA_SET_TYPE: 1}
    if listener.store:
        more: dict[int, int | str] = {dimse.FIELD: dimse.C_STORE_RQ, dimse.SOP_CLASS: CT, dimse.SOP_INSTANCE: "1.2.3"}
    else:
        more = {dimse.FIELD: dimse.C_FIND_RQ, dimse.SOP_CLASS: STUDY_ROOT_FIND}
    return encode_command({**common, **more})


def dataset_piece(size: int) -> bytes:
    """Give what looks like elements for ever: pixels of an endless length."""
    return bytes(size)


def sent_until_cut(listener: Listener, piece: Callable[[], bytes], begin: bytes = b"") -> int:
    """Send pieces in an association until it is cut; give how many bytes that were."""
    count = 0
    with listener.associated() as link:
        link.sendall(begin)
        try:
            while True:
                link.sendall(sent := piece())
                count += len(sent)
        except (ConnectionResetError, BrokenPipeError):
            return count


def enormous_requests() -> Iterator[bytes]:
    """Give requests of 128 KiB: many contexts, many syntaxes, many items of each kind, long ones, and lies."""
    head = struct.pack(">HH", 1, 0) + OURS.ljust(16).encode() + HONEST.ljust(16).encode() + bytes(32)
    syntaxes = [item(0x40, text) * count for text, count in ((b"1.2.840.10008.1.2", 40), (b"1", 13_000), (b"", 16_000))]
    yield framed(head + b"".join(proposed(number, syntaxes[0]) for number in range(128)))
    yield from (framed(head + proposed(1, many) + proposed(3, many)) for many in syntaxes[1:])
    yield framed(head + b"".join(proposed(1, item(0x40, b"1")) for _ in range(5000)))
    for kind, content in ((0x52, b"1"), (0x54, b"\0\11\1\1"), (0x56, b"\0\11"), (0x58, b"\1\1\0\0\0\0")):
        yield framed(head + proposed(1, syntaxes[0]) + item(0x50, item(kind, content) * (65_000 // (len(content) + 4))))
    yield framed(head + proposed(1, b"") + item(0x50, item(0x51, b"1" * 65_000)))
    yield framed(head + struct.pack(">BxH", 0x20, 0xFFFF) + bytes(1000))
    yield framed(head + item(0x50, struct.pack(">BxH", 0x56, 0xFFFF) + bytes(1000)))


def item(kind: int, content: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(content)) + content


def proposed(number: int, syntaxes: bytes) -> bytes:
    return item(0x20, bytes((2 * number + 1 & 0xFF, 0, 0, 0)) + item(0x30, CT.encode()) + syntaxes)


def framed(body: bytes) -> bytes:
    return HEADER.pack(PduType.ASSOCIATE_RQ, 0, len(body)) + body
