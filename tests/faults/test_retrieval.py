"""Objects that lie about who they are, and retrievals that lie about what was sent."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from pydicom import dcmread

from crawler.pacs import command as dimse
from crawler.pacs import framing
from crawler.pacs.identifier import encode_identifier
from crawler.retrieve.instance import CANNOT_UNDERSTAND, INVALID_INSTANCE, OTHER_SOP_CLASS, SUCCESS
from crawler.retrieve.layout import Layout, by_hash, by_series, is_uid
from crawler.settings import Settings
from crawler.testing.quirks import Claims, Failure, Offline, Quirks
from tests.acceptance.retrieving import Attempt, judge, sited
from tests.faults.conftest import LONG
from tests.faults.planted import NAME
from tests.integration.real_pacs import free_port
from tests.integration.sending import CT, MR, Scu, dataset_of, encoded, in_layout, left_over, receiver, scu

Bring = Callable[[Settings], int]
HOSTILE = (
    b"../../x",
    b"..",
    b"/etc/passwd",
    b"1.2.3/..",
    b"1.2\0/../../x",
    b"1.2.3\n4",
    b"C:\\x",
    b"1.2.",
    b".1",
    b"-1",
    b"1" * 70,
    "١.٢.٣".encode(),
    b"1.2.3 /x",
    b"",
)
SCRAPS = [b"..", b"/", b"\\", b"\0", b".", b" ", b"1", b"2.3", b"%2e", b"~", b"\n", b"\xff", b"x" * 40, b"1." * 20]
_PLACE = re.compile(r"[0-9a-f]{2}/[0-9a-f]{32}\.dcm|([0-9.]+|other)/([0-9.]+|other)/[0-9.]+\.dcm")


@pytest.mark.parametrize("layout", [by_hash, by_series])
def test_hostile_uids(tmp_path: Path, layout: Layout, long: bool) -> None:
    """As a SOP Instance UID they are refused; as those of study and series they are no part of a path."""
    random = Random(11)
    drawn = [b"".join(random.choices(SCRAPS, k=random.randrange(1, 6))) for _ in range(2000 if long else 50)]
    hostile = [*HOSTILE, *(uid for uid in drawn if not is_uid(uid.strip(b"\0 ").decode("latin-1")))]

    def send(port: int) -> None:
        with scu(port) as sender:
            for number, uid in enumerate(hostile):
                assert sent(sender, uid, instance(uid, b"1.2.1", b"1.2.1.1")) == INVALID_INSTANCE, uid
                mine = b"1.2.3.%d" % number
                assert sent(sender, mine, instance(mine, uid, uid)) == SUCCESS, uid

    async def scenario() -> None:
        async with receiver(tmp_path / "site" / "store", layout=layout) as (server, rows):
            await asyncio.to_thread(send, server.port)
            await server.settled()
            assert len(rows) == len(in_layout(tmp_path / "site" / "store")) == len(hostile)
            assert all(_PLACE.fullmatch(row["path"]) for row in rows)

    asyncio.run(scenario())
    beside = [*tmp_path.iterdir(), *(tmp_path / "site").iterdir()]
    assert [path.name for path in beside] == ["site", "store"]
    assert not left_over(tmp_path / "site" / "store")


def instance(uid: bytes, study: bytes, series: bytes) -> bytes:
    uids = ((0x00080016, CT.encode()), (0x00080018, uid), (0x0020000D, study), (0x0020000E, series))
    rest = ((0x00100010, "PN", NAME.encode()),)
    return encode_identifier((*((tag, "UI", value) for tag, value in uids), *rest), explicit_vr=True)


def sent(sender: Scu, uid: bytes, dataset: bytes) -> int | None:
    """Send an object under any bytes for a UID, which no library would, and give the status."""
    length = len(uid) + len(uid) % 2
    stand_in = "9" * length
    request = {dimse.FIELD: dimse.C_STORE_RQ, dimse.MESSAGE_ID: 7, dimse.PRIORITY: 0, dimse.DATA_SET_TYPE: 1}
    command = dimse.encode_command({dimse.SOP_CLASS: CT, dimse.SOP_INSTANCE: stand_in, **request})
    command = command.replace(stand_in.encode(), uid.ljust(length, b"\0")) if uid else command
    sender.link.sendall(framing.frame_message(1, command, dataset))
    return sender.end().status


CONTRADICTIONS: dict[str, tuple[dict[str, object], bytes, int]] = {
    "another instance": ({}, encoded("1.2.4"), CANNOT_UNDERSTAND),
    "another instance, large": ({}, encoded("1.2.4", 200_000), CANNOT_UNDERSTAND),
    "the same, padded otherwise": ({}, encoded("1.2.3").replace(b"1.2.3\0", b"1.2.3 "), SUCCESS),
    "no DICOM": ({}, b"no DICOM at all, but quite long", CANNOT_UNDERSTAND),
    "nothing": ({}, b"", CANNOT_UNDERSTAND),
    "class of the dataset": ({}, encoded("1.2.3", SOPClassUID=MR), OTHER_SOP_CLASS),
    "class of the command": ({"sop_class": MR}, encoded("1.2.3"), OTHER_SOP_CLASS),
    "class of command and context": ({"sop_class": MR, "context_id": 3}, encoded("1.2.3"), OTHER_SOP_CLASS),
    "class of the context": ({"context_id": 3}, encoded("1.2.3"), OTHER_SOP_CLASS),
}


@pytest.mark.parametrize("what", CONTRADICTIONS)
def test_contradicting_uids(tmp_path: Path, what: str) -> None:
    """What command, presentation context and dataset say must agree; the file says the same in its meta information."""
    claims, dataset, status = CONTRADICTIONS[what]

    def send(port: int) -> None:
        with scu(port) as sender:
            assert sender.store("1.2.3", dataset, **claims) == status
            assert sender.store("1.2.77", encoded("1.2.77")) == SUCCESS

    async def scenario() -> None:
        async with receiver(tmp_path / "store") as (server, rows):
            await asyncio.to_thread(send, server.port)
            await server.settled()
            assert server.refusals == ({status: 1} if status else {})
            assert len(rows) == (1 if status else 2)

    asyncio.run(scenario())
    for path in in_layout(tmp_path / "store"):
        file = dcmread(path)
        assert file.file_meta.MediaStorageSOPInstanceUID == file.SOPInstanceUID
        assert file.file_meta.MediaStorageSOPClassUID == file.SOPClassUID
    assert not left_over(tmp_path / "store")


def test_second_copy(tmp_path: Path, bring: Bring, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = encoded("1.2.3", 1000), encoded("1.2.3", 1000, SeriesDescription="other")

    def send(port: int) -> None:
        with scu(port) as sender:
            for data in (first, first, second, second, first):
                assert sender.store("1.2.3", data) == SUCCESS

    async def scenario() -> None:
        async with receiver(tmp_path / "store") as (server, rows):
            await asyncio.to_thread(send, server.port)
            await server.settled()
            assert [row["outcome"] for row in rows] == ["stored", "again", "other", "again", "again"]
            assert [row["path"] for row in rows] == [rows[number]["path"] for number in (0, 0, 2, 2, 0)]
            assert {dataset_of(tmp_path / "store" / row["path"]) for row in rows} == {first, second}
            assert len(in_layout(tmp_path / "store")) == 2
            assert not left_over(tmp_path / "store")

    asyncio.run(scenario())
    (tmp_path / "site").mkdir()
    with sited(tmp_path / "site", Attempt(Quirks(twice=True, alters_again=True))) as (settings, _):
        capsys.readouterr()  # what the sweep said
        assert bring(settings) == 0
        beside = [path for path in in_layout(settings.local.store_path) if "-" in path.name]
        assert beside
        assert f"Other bytes of {len(beside)} came too and are kept beside" in capsys.readouterr().err


HARMLESS = {
    "none": Quirks(),
    "success of nothing, in part": Quirks(skips_every=3, claims=Claims.NOTHING),
    "success whatever failed": Quirks(skips_every=2, claims=Claims.SUCCESS),
    "no counters": Quirks(skips_every=3, claims=Claims.UNCOUNTED),
    "late": Quirks(late=0.2),
    "twice": Quirks(twice=True),
    "other content the second time": Quirks(twice=True, alters_again=True),
    "from another AE title": Quirks(sends_as="OTHER"),
    "pending without end": Quirks(never_ends=True),
    "tape that comes by itself": Quirks(offline_every=2, offline_for=0.5, offline=Offline.COMES),
    "tape that comes when asked again": Quirks(offline_every=2, offline_for=0.5, offline=Offline.AGAIN),
    "no SERIES level": Quirks(no_series_level=True),
    "no IMAGE level": Quirks(no_image_level=True),
    "images cannot be listed": Quirks(no_image_queries=True),
    "one at a time": Quirks(max_retrievals=1),
    "out of resources now and then": Quirks(a702_every=3),
    "breaks off": Quirks(breaks_after=1, failure=Failure.ABORT),
}
LOSSES = {
    "nothing is ever sent": Quirks(skips_every=1, claims=Claims.NOTHING),
    "nothing is ever sent, and counted": Quirks(skips_every=1, claims=Claims.COMPLETED),
    "from one whom nobody knows": Quirks(sends_as="STRANGER"),
    "tape that never comes": Quirks(offline_every=2, offline=Offline.NEVER),
    "instances that are listed and do not exist": Quirks(phantom_every=3),
}


WAYS = [*((what, "move") for what in (*HARMLESS, *LOSSES)), *((what, "get") for what in (HARMLESS if LONG else ()))]
"""How a C-GET is lied to is drawn too, by test_retrieval_schedules."""


@pytest.mark.parametrize(("what", "way"), WAYS)
def test_retrieval_lies(bring: Bring, what: str, way: str) -> None:
    """All is here, byte by byte, or named as missing with the reason, whatever the PACS says of it."""
    judgement = judge(Attempt({**HARMLESS, **LOSSES}[what], way=way), bring)
    assert judgement.wrong == []
    assert bool(judgement.missing) is (what in LOSSES)
    assert judgement.code == (3 if what in LOSSES else 0)


@pytest.mark.parametrize(
    ("is_known", "told"),
    [
        (
            False,
            "It was left because a request ended with 0xA801 (move destination unknown).\n"
            "  PACS main does not know where to send to: have {ours}, registered there as a destination.",
        ),
        (
            True,
            "PACS main could not send, for want of resources or because it cannot reach us: "
            "have it checked that {ours}, is what is registered there, and that no firewall is in between.",
        ),
    ],
)
def test_unreachable_receiver(
    tmp_path: Path, bring: Bring, capsys: pytest.CaptureFixture[str], is_known: bool, told: str
) -> None:
    """The PACS does not know our AE title, or has another port for it."""
    with sited(tmp_path, Attempt()) as (settings, pacs):
        pacs.destinations.clear()
        if is_known:
            pacs.destinations["PACSLAKE"] = ("127.0.0.1", free_port())
        capsys.readouterr()  # what the sweep said
        assert bring(settings) == 3
        ours = f"AE title PACSLAKE at host 127.0.0.1, port {settings.local.port}"
        assert " ".join(told.format(ours=ours).split()) in " ".join(capsys.readouterr().err.split())
