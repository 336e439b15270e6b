"""Objects that should not be taken, or cannot: nothing of them lies where it should not, and the sender is told."""

from __future__ import annotations

import asyncio
import resource
import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian, RLELossless

from crawler.errors import UserError
from crawler.export.extra import read_image
from crawler.export.nifti import write_nifti
from crawler.export.previews import write_previews
from crawler.export.volumes import write_volumes
from crawler.retrieve.expectation import Expectation
from crawler.retrieve.instance import NOT_AUTHORIZED
from crawler.retrieve.layout import SPOOL, place_of
from crawler.retrieve.unpacking import immodest
from crawler.settings import Settings
from crawler.testing.archive import Archive
from tests.acceptance.retrieving import HELD, Attempt, files, losses, sited
from tests.faults.small import LARGE, ONE_BY_ONE, ROOM, short_files, small
from tests.integration.files import made_files
from tests.integration.sending import dataset_of, encoded, in_layout, left_over, receiver, scu
from tests.unit.export.phantom import Phantom, write_all

OUTSIDE = b"nobody's business"


@pytest.mark.parametrize("where", ["file", "shard", "spool"])
def test_planted_links(tmp_path: Path, where: str) -> None:
    """Plant a link for an object's file, for the folder of it, for the spool: what it leads to stays as it was."""
    store, outside = tmp_path / "store", tmp_path / "outside"
    place = store / place_of("1.2.3")
    (outside / place.parent.name).mkdir(parents=True)
    (outside / "secret").write_bytes(OUTSIDE)
    store.mkdir()
    if where == "file":
        place.parent.mkdir()
        place.symlink_to(outside / "secret")
    elif where == "shard":
        place.parent.symlink_to(outside / place.parent.name)
    else:
        (store / SPOOL).symlink_to(outside)
    before = sorted(outside.rglob("*"))

    def send(port: int) -> None:
        with scu(port) as sender:
            assert sender.store("1.2.3", encoded("1.2.3", 100_000)) == 0

    async def scenario() -> list[dict[str, object]]:
        async with receiver(store) as (server, rows):
            await asyncio.to_thread(send, server.port)
            await server.settled()
            if where == "shard":
                assert server.trouble_in_words == f"the store {store} cannot be written: Not a directory"
            return rows

    if where == "spool":
        with pytest.raises(UserError, match="must be a folder in which there are files alone, and somebody else has"):
            asyncio.run(scenario())
    else:
        rows = asyncio.run(scenario())
        assert [row["outcome"] for row in rows] == (["other"] if where == "file" else [])
        assert not left_over(store)
    assert sorted(outside.rglob("*")) == before
    assert (outside / "secret").read_bytes() == OUTSIDE
    kept = [path for path in in_layout(store) if not path.is_symlink()]
    assert len(kept) == (where == "file")


def test_unsolicited_object(tmp_path: Path, dcmtk_tool: Callable[[str], Path]) -> None:
    """Have storescu send what nobody asked for, as somebody who may send and as somebody who may not."""
    (tmp_path / "source").mkdir()
    source = made_files(tmp_path / "source")[0]
    wanted = str(dcmread(source).SeriesInstanceUID)

    def sent(port: int, calling: str) -> str:
        command = [dcmtk_tool("storescu"), "-v", "-aet", calling, "-aec", "PACSLAKE", "127.0.0.1", str(port), source]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    async def scenario() -> None:
        async with receiver(tmp_path / "store", Expectation(series=frozenset(("1.2.9",)))) as (server, rows):
            assert "0x124" in await asyncio.to_thread(sent, server.port, "SCU")
            assert server.refusals == {NOT_AUTHORIZED: 1}
            assert "Calling AE Title Not Recognized" in await asyncio.to_thread(sent, server.port, "STRANGER")
            [(rejection, count)] = server.rejections.items()
            assert (rejection.calling_ae, rejection.address, count) == ("STRANGER", "127.0.0.1", 1)
            assert not in_layout(tmp_path / "store")
            assert not left_over(tmp_path / "store")
            server.expectation = Expectation(series=frozenset((wanted,)))
            assert "Success" in await asyncio.to_thread(sent, server.port, "SCU")
            await server.settled()
            assert len(rows) == 1

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("way", "limit", "archive"), [("move", "size=200k", LARGE), ("get", "nr_inodes=16", HELD)], ids=["bytes", "files"]
)
def test_full_store(
    tmp_path: Path,
    bring: Callable[[Settings], int],
    way: str,
    limit: str,
    archive: Archive,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Bring a cohort into a store without room: all is told, nothing torn, and with room the next run goes on."""
    store = tmp_path / "store"
    with small(store, limit) as mounted:
        attempt = Attempt(ONE_BY_ONE, archive if mounted else LARGE, way, associations=1)
        with sited(tmp_path, attempt) as (settings, pacs):
            with short_files(wanted=not mounted):
                assert bring(settings) == 3
            said = capsys.readouterr().err
            trouble = "is full (No space left on device): make room" if mounted else "cannot be written: File too large"
            assert f"It was left because the store {store} {trouble}" in said
            assert "offline" not in said
            assert mounted <= len(files(settings)) == len(in_layout(store)) < 11
            assert not left_over(store)
            wrong, missing = losses(settings, attempt.archive)
            assert (wrong, bool(missing)) == ([], True)
            if attempt.archive == LARGE:  # else it was answered with success, and had no place then
                assert "refused with 0xA700 (cannot be written to disk, or too much for a day)" in said
            if mounted:
                subprocess.run(["mount", "-o", ROOM, store], check=True)
            assert bring(settings) == 0
            assert losses(settings, attempt.archive) == ([], frozenset())
            assert pacs.counts.stores < 11 + 6


@pytest.mark.parametrize("bomb", ["deflated", "frames"])
def test_bomb_in_an_object(tmp_path: Path, bomb: str) -> None:
    """Send an object that would become gigabytes: it is kept as it came, and nothing unpacks it."""
    sent = {"deflated": deflated_bomb, "frames": frames_bomb}[bomb]()
    syntax = DeflatedExplicitVRLittleEndian if bomb == "deflated" else RLELossless

    def send(port: int) -> None:
        with scu(port, transfer_syntax=str(syntax)) as sender:
            assert sender.store("1.2.3", sent) == 0

    async def scenario() -> None:
        async with receiver(tmp_path / "store") as (server, rows):
            await asyncio.to_thread(send, server.port)
            await server.settled()
            assert [row["outcome"] for row in rows] == ["stored"]

    asyncio.run(scenario())
    [path] = in_layout(tmp_path / "store")
    assert dataset_of(path) == sent
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError, match="would become too large when it is unpacked"):
        read_image([path])
    folder = tmp_path / "series"
    folder.mkdir()
    table = write_all(folder, Phantom())
    for name in table["path"].to_pylist():
        (folder / name).write_bytes(path.read_bytes())
    for written in (write_previews, write_volumes, write_nifti):
        [made] = written(folder, table, tmp_path / "out")
        assert not made.files
        assert "would become too large when it is unpacked" in str(made.reason)
    with path.open("rb") as file:
        assert immodest(file, path.stat().st_size)  # what datasets ask
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB; most of that are libraries


def deflated_bomb() -> bytes:
    """Give a dataset of 300 MB of zeros in 300 KB."""
    machine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    head = encoded("1.2.3") + struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, 300 << 20)
    pieces = [machine.compress(head), *(machine.compress(bytes(1 << 20)) for _ in range(300)), machine.flush()]
    data = b"".join(pieces)
    return data + bytes(len(data) % 2)


def frames_bomb() -> bytes:
    """Give a dataset whose sizes multiply to more than any number of 64 bits."""
    sizes = {"Rows": 65535, "Columns": 65535, "SamplesPerPixel": 65535, "BitsAllocated": 65535}
    head = encoded("1.2.3", NumberOfFrames="2147483647", **sizes)
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0)
    end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    return head + struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFF_FFFF) + item + end
