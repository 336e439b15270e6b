"""Objects that come: from DCMTK and pynetdicom, from two at once, wrong ones, and ones that break off."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import re
import resource
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES
from pynetdicom.dsutils import encode

from crawler.errors import UserError
from crawler.model import AETitle, Limits
from crawler.pacs.acceptor import CALLED_AE_UNKNOWN, CALLING_AE_UNKNOWN, LIMIT_EXCEEDED, Rejection
from crawler.retrieve.expectation import Expectation, Sender
from crawler.retrieve.instance import (
    NOT_AUTHORIZED,
    OUT_OF_RESOURCES,
)
from crawler.retrieve.receiver import Receiving, receive
from tests.integration.files import bundled_files, made_files
from tests.integration.sending import (
    CT,
    EVERYTHING,
    dataset_of,
    encoded,
    in_layout,
    left_over,
    receiver,
    scu,
    uid_of,
)

HASTE = Limits(idle_timeout=0.4, total_timeout=1.5, max_object=64 * 1024)


def test_dcmtk_sends_what_is_then_here_byte_by_byte(tmp_path: Path, dcmtk_tool: Callable[[str], Path]) -> None:
    (tmp_path / "source").mkdir()
    files = made_files(tmp_path / "source")

    async def scenario() -> None:
        async with receiver(tmp_path / "store") as (server, rows):
            place = ["-aet", "SCU", "-aec", "PACSLAKE", "127.0.0.1", str(server.port)]
            await run(dcmtk_tool("echoscu"), *place)
            await run(dcmtk_tool("dcmsend"), "--no-halt", *place, *files)
            await server.settled()
            assert len(rows) == len(files)
            check_rows(tmp_path / "store", rows, files)
            assert {row["outcome"] for row in rows} == {"stored"}
            assert not left_over(tmp_path / "store")

    asyncio.run(scenario())


def test_pynetdicom_sends_every_bundled_file_in_its_own_transfer_syntax(tmp_path: Path) -> None:
    files = bundled_files()

    async def scenario() -> None:
        async with receiver(tmp_path / "store") as (server, rows):
            await asyncio.to_thread(send_by_pynetdicom, server.port, files)
            await server.settled()
            check_rows(tmp_path / "store", rows, files)
            assert len({row["transfer_syntax"] for row in rows}) >= 7

    asyncio.run(scenario())


def test_every_transfer_syntax_is_kept_as_it_is_sent(tmp_path: Path) -> None:
    """What is between the header and the end is the sender's own business: here bytes that mean nothing."""

    def send(port: int, number: int, syntax: UID) -> bytes:
        dataset = Dataset()
        dataset.SOPClassUID, dataset.SOPInstanceUID = CT, f"1.2.3.{number}"
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.Rows = "1.2.1", "1.2.1.1", 517
        data = encode(dataset, syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated)
        assert data is not None
        data += b"\xff" * 1001
        with scu(port, transfer_syntax=str(syntax)) as sender:
            assert sender.store(f"1.2.3.{number}", data) == 0
        return data

    async def scenario() -> None:
        async with receiver(tmp_path / "store") as (server, rows):
            sent_data = {
                str(syntax): await asyncio.to_thread(send, server.port, number, UID(syntax))
                for number, syntax in enumerate(ALL_TRANSFER_SYNTAXES)
            }
            await server.settled()
            received = {row["transfer_syntax"]: dataset_of(tmp_path / "store" / row["path"]) for row in rows}
            assert received == sent_data
            assert {row["Rows"] for row in rows} == {517}

    asyncio.run(scenario())


def test_two_senders_at_once(tmp_path: Path) -> None:
    def send(port: int, calling: str) -> None:
        with scu(port, calling) as sender:
            for number in range(100):
                assert sender.store(f"1.{len(calling)}.{number}", encoded(f"1.{len(calling)}.{number}", 20_000)) == 0

    async def scenario() -> None:
        senders = (Sender("SCU"), Sender("OTHER", None))
        async with receiver(tmp_path / "store", senders=senders) as (server, rows):
            await asyncio.gather(*(asyncio.to_thread(send, server.port, calling) for calling in ("SCU", "OTHER")))
            await server.settled()
            assert Counter(row["source_ae"] for row in rows) == {"SCU": 100, "OTHER": 100}
            assert len(in_layout(tmp_path / "store")) == 200

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (encoded("1.2.3", SeriesInstanceUID="1.2.9"), NOT_AUTHORIZED),
        (encoded("1.2.3", 3_000_000, SeriesInstanceUID="1.2.9"), NOT_AUTHORIZED),
        (encoded("1.2.3", StudyInstanceUID="1.2.9"), 0),
    ],
)
def test_an_object_that_should_not_come_is_refused_and_the_next_one_taken(
    tmp_path: Path, data: bytes, status: int
) -> None:
    def send(port: int) -> None:
        with scu(port) as sender:
            assert sender.store("1.2.3", data) == status
            assert sender.store("1.2.77", encoded("1.2.77")) == 0

    async def scenario() -> None:
        async with receiver(tmp_path / "store", Expectation(series=frozenset(("1.2.1.1",)))) as (server, rows):
            await asyncio.to_thread(send, server.port)
            await server.settled()
            assert server.refusals == ({status: 1} if status else {})
            assert len(rows) == len(in_layout(tmp_path / "store")) == (1 if status else 2)
            assert not left_over(tmp_path / "store")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("calling", "called", "senders", "reason"),
    [
        ("STRANGER", "PACSLAKE", ("SCU",), CALLING_AE_UNKNOWN),
        ("SCU", "SOMEBODY", ("SCU",), CALLED_AE_UNKNOWN),
        ("SCU", "PACSLAKE", ("SCU@192.0.2.0/24", "OTHER@127.0.0.1"), CALLING_AE_UNKNOWN),
        ("SCU", "PACSLAKE", (), CALLING_AE_UNKNOWN),
    ],
)
def test_who_may_not_send_has_no_association(
    tmp_path: Path, calling: str, called: str, senders: tuple[str, ...], reason: tuple[int, int, int]
) -> None:
    async def scenario() -> None:
        allowed = tuple(map(Sender.of, senders))
        async with receiver(tmp_path / "store", senders=allowed) as (server, _):
            with pytest.raises(AssertionError, match="rejected"):
                await asyncio.to_thread(scu(server.port, calling, called).__enter__)
            assert [*server.rejections] == [Rejection(calling, called, "127.0.0.1", reason)]

    asyncio.run(scenario())


def test_associations_of_one_address_are_counted(tmp_path: Path) -> None:
    def call(port: int) -> None:
        with scu(port), scu(port), pytest.raises(AssertionError, match="rejected"), scu(port):
            pass

    async def scenario() -> None:
        async with receiver(tmp_path / "store", max_per_address=2) as (server, _):
            await asyncio.to_thread(call, server.port)
            assert server.rejections == {Rejection("SCU", "PACSLAKE", "127.0.0.1", LIMIT_EXCEEDED): 1}

    asyncio.run(scenario())


@pytest.mark.parametrize("size", [100, 2_000_000])
def test_an_object_that_breaks_off_leaves_nothing(tmp_path: Path, size: int) -> None:
    def send(port: int) -> None:
        with scu(port) as sender:
            sender.begin("1.2.3")
            data = encoded("1.2.3", size)
            for at in range(0, len(data), 60_000):
                sender.fragment(data[at : at + 60_000], last=False)

    async def scenario() -> None:
        async with receiver(tmp_path / "store") as (server, rows):
            await asyncio.to_thread(send, server.port)
            await nothing_left(tmp_path / "store")
        assert not rows
        assert not in_layout(tmp_path / "store")

    asyncio.run(scenario())


def test_a_sender_that_falls_silent_or_dawdles_is_cut(tmp_path: Path) -> None:
    def send(port: int, pause: float) -> None:
        with scu(port) as sender:
            sender.begin("1.2.3")
            data = encoded("1.2.3", 2_000_000)
            sender.fragment(data[:60_000], last=False)
            sender.link.settimeout(pause)
            while True:
                try:
                    assert sender.link.recv(1) in (b"\x07", b"")
                    return
                except TimeoutError:
                    sender.fragment(bytes(1000), last=False)

    async def scenario() -> None:
        async with receiver(tmp_path / "store", limits=HASTE) as (server, _):
            async with asyncio.timeout(10):
                await asyncio.gather(*(asyncio.to_thread(send, server.port, pause) for pause in (5, 0.1)))
            await nothing_left(tmp_path / "store")

    asyncio.run(scenario())


def test_a_full_disk_is_told_and_nothing_taken_until_it_is_said_to_be_over(tmp_path: Path) -> None:
    large, small = encoded("1.2.3", 2_000_000), encoded("1.2.4")

    def send(port: int, *wanted: int) -> None:
        with scu(port) as sender:
            assert tuple(sender.store(uid, data) for uid, data in (("1.2.3", large), ("1.2.4", small))) == wanted

    async def scenario() -> None:
        async with receiver(tmp_path / "store") as (server, rows):
            with files_limited_to(1_000_000, server.pid):
                await asyncio.to_thread(send, server.port, OUT_OF_RESOURCES, OUT_OF_RESOURCES)
            assert server.trouble is not None
            assert not left_over(tmp_path / "store")
            await asyncio.to_thread(send, server.port, OUT_OF_RESOURCES, OUT_OF_RESOURCES)
            server.resume()
            await asyncio.to_thread(send, server.port, 0, 0)
            await server.settled()
            assert [row["outcome"] for row in rows] == ["stored", "stored"]
            assert server.trouble is None

    asyncio.run(scenario())


def test_memory_does_not_grow_with_the_object(tmp_path: Path) -> None:
    """Send 300 MB to processes whose memory stays below 150 MB and 60 MB."""
    script = Path(__file__).parents[2] / "benchmarks" / "pacslake_receive.py"

    with subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        with scu(int(server.stdout.readline()), "STORESCU", "BENCH") as sender:
            assert sender.store("1.2.3", itertools.chain([encoded("1.2.3")], pixels(300))) == 0
        assert server.stdout.readline() == "1\n"
        [child] = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
        statuses = [Path(f"/proc/{pid}/status").read_text() for pid in (server.pid, child)]
        peaks = [int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) // 1000 for status in statuses]
        server.stdin.close()
    (path,) = in_layout(tmp_path)
    assert path.stat().st_size > 300_000_000
    assert peaks[0] < 150
    assert peaks[1] < 60


def test_a_store_has_one_owner_and_takes_nothing_over_from_a_dead_one(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with receiver(tmp_path / "store"):
            with pytest.raises(UserError, match="Another process receives into"):
                async with receiver(tmp_path / "store"):
                    pass
        (tmp_path / "store" / ".incoming" / "7").write_bytes(b"half")
        async with receiver(tmp_path / "store"):
            assert not left_over(tmp_path / "store")

    asyncio.run(scenario())


def test_a_report_that_fails_ends_the_receiver_and_is_raised(tmp_path: Path) -> None:
    def send(port: int) -> None:
        with scu(port) as sender:
            assert sender.store("1.2.3", encoded("1.2.3")) == 0

    async def scenario() -> None:
        receiving = Receiving(tmp_path / "store", AETitle("PACSLAKE"), (Sender("SCU"),))
        async with receive(receiving, lambda table: table.no_such_thing) as server:
            server.expectation = EVERYTHING
            await asyncio.to_thread(send, server.port)
            await server.settled()

    with pytest.raises(AttributeError):
        asyncio.run(scenario())


async def nothing_left(store: Path) -> None:
    """Wait until what broke off is gone."""
    async with asyncio.timeout(5):
        while left_over(store):  # noqa: ASYNC110  # nobody signals it
            await asyncio.sleep(0.01)


@contextmanager
def files_limited_to(size: int, pid: int) -> Iterator[None]:
    """Let the kernel refuse larger files, after a part was written, as it does when a disk is full."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def pixels(megabytes: int) -> Iterator[bytes]:
    """Give an element of pixel data in pieces."""
    yield struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, megabytes * 1_000_000)
    yield from itertools.repeat(bytes(1_000_000), megabytes)


def check_rows(store: Path, rows: list[dict[str, object]], files: list[Path]) -> None:
    """Compare what was reported with the files in the layout, and these with their sources."""
    sources = {uid_of(path): path for path in files}
    assert {row["SOPInstanceUID"] for row in rows} == set(sources)
    for row in rows:
        received, source = store / str(row["path"]), sources[str(row["SOPInstanceUID"])]
        assert hashlib.sha256(received.read_bytes()).hexdigest() == row["sha256"]
        assert received.stat().st_size == row["size"]
        ours, theirs = dcmread(received), dcmread(source)
        assert sent(received) == sent(source)
        assert ours.file_meta.TransferSyntaxUID == row["transfer_syntax"] == theirs.file_meta.TransferSyntaxUID
        assert ours.get("Rows") == row["Rows"]
        assert str(theirs.get("Modality", "")) == (row["Modality"] or "")
        assert (row["StudyInstanceUID"], row["SeriesInstanceUID"]) == (
            theirs.StudyInstanceUID,
            theirs.SeriesInstanceUID,
        )


def sent(path: Path) -> bytes | None:
    """Give the bytes that pynetdicom and DCMTK send of a file."""
    dataset = dcmread(path)
    syntax = dataset.file_meta.TransferSyntaxUID
    return encode(dataset, syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated)


def send_by_pynetdicom(port: int, files: list[Path]) -> None:
    datasets = [dcmread(path) for path in files]
    entity = AE(ae_title="SCU")
    entity.dimse_timeout = 3
    for dataset in datasets:
        entity.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
    assoc = entity.associate("127.0.0.1", port, ae_title="PACSLAKE")
    for dataset in datasets:
        while not (answer := assoc.send_c_store(dataset)):
            # Its reactor thread sometimes takes an answer that comes fast for a request of ours, and drops it.
            assoc = entity.associate("127.0.0.1", port, ae_title="PACSLAKE")
        assert answer.Status == 0
    assoc.release()


async def run(*command: object) -> None:
    process = await asyncio.create_subprocess_exec(*map(str, command), stdout=subprocess.DEVNULL)
    assert await process.wait() == 0
