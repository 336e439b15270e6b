"""C-MOVE from Orthanc and dcmqrscp: what comes is what they have, and what goes wrong is told as it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from crawler.errors import TransientPeerError
from crawler.model import AETitle, Limits, Model, Peer
from crawler.pacs.association import Association, connect
from crawler.pacs.command import Counters
from crawler.pacs.sop_classes import MOVE_CLASSES
from crawler.retrieve.expectation import Sender
from crawler.retrieve.move import move
from crawler.retrieve.receiver import Receiver
from crawler.retrieve.retrieval import Retrieval
from crawler.retrieve.status import Destination, Ending, Moved, advice
from tests.integration.files import made_files
from tests.integration.real_pacs import free_port, orthanc_process
from tests.integration.retrieving import ONE_SERIES, OURS, RealPacs, differences, sticking
from tests.integration.sending import receiver


@asynccontextmanager
async def moving(
    pacs: RealPacs, store: Path, model: Model = Model.STUDY_ROOT
) -> AsyncIterator[tuple[Association, Receiver, list[dict[str, Any]]]]:
    """Have a receiver where the PACS sends to, and an association to ask it on."""
    senders = (Sender(pacs.peer.called_ae),)
    async with (
        receiver(store, senders=senders, port=pacs.destination) as (server, rows),
        connect(pacs.peer, [MOVE_CLASSES[model]]) as assoc,
    ):
        yield assoc, server, rows


@pytest.mark.filterwarnings("ignore:Invalid value for VR")  # some of pydicom's files are malformed
def test_series_after_series_every_file_is_what_the_pacs_has(tmp_path: Path, pacs: RealPacs) -> None:
    async def scenario() -> None:
        async with moving(pacs, tmp_path) as (assoc, server, rows):
            ends = [await move(assoc, wanted, OURS).run() for wanted in pacs.series()]
            await server.settled()
            assert not list(differences(tmp_path, rows, pacs.sources))
            arrived = {row["SOPInstanceUID"] for row in rows}
            failed = {uid for end in ends for uid in end.failed_instances}
            assert len(arrived) == len(rows) == sum(end.completed or 0 for end in ends)
            assert arrived | failed == set(pacs.sources)
            assert not arrived & failed
            if pacs.peer.called_ae == "ORTHANC":
                assert {end.ending for end in ends} == {Ending.SUCCESS}
                assert len({row["transfer_syntax"] for row in rows}) >= 8
            else:
                # It proposes no compressed transfer syntax, and says so of each instance.
                assert {end.ending for end in ends} == {Ending.SUCCESS, Ending.PARTIAL, Ending.BUSY}
                assert all(pacs.sources[uid].file_meta.TransferSyntaxUID.is_compressed for uid in failed)

    asyncio.run(scenario())


def test_single_instances_studies_and_patients(tmp_path: Path, pacs: RealPacs) -> None:
    async def scenario() -> None:
        async with moving(pacs, tmp_path, Model.PATIENT_ROOT) as (assoc, server, rows):
            for wanted, uids in pacs.by_levels():
                told: list[Counters] = []
                end = await move(assoc, wanted, OURS).run(told.append)
                await server.settled()
                assert end == Moved(0, completed=len(uids), failed=0, warning=0)
                assert {row["SOPInstanceUID"] for row in rows} == uids
                # Orthanc's last response that tells of an instance is the final one.
                last = 1 if pacs.peer.called_ae == "ORTHANC" else 0
                assert told == [Counters(left, len(uids) - left, 0, 0) for left in range(len(uids) - 1, last - 1, -1)]
                rows.clear()

    asyncio.run(scenario())


def test_a_destination_that_is_not_known_or_not_there_says_what_to_do(pacs: RealPacs) -> None:
    ours = Destination(OURS, "lake.example", 11112)

    async def scenario() -> list[Moved]:
        async with connect(pacs.peer, [MOVE_CLASSES[Model.STUDY_ROOT]]) as assoc:
            return [await move(assoc, ONE_SERIES, AETitle(ae_title)).run() for ae_title in ("NOBODY", "DEAD")]

    unknown, dead = asyncio.run(scenario())
    for end in (unknown, dead):
        sentence = advice(end.status, "main", ours)
        assert sentence is not None
        assert "AE title PACSLAKE at host lake.example, port 11112" in sentence
    if pacs.peer.called_ae == "ORTHANC":
        assert {unknown.status, dead.status} == {0xC000}
    else:
        assert (unknown.status, dead.status) == (0xA801, 0xA702)
        assert (dead.completed, dead.failed, set(dead.failed_instances)) == (
            0,
            3,
            pacs.of("SeriesInstanceUID", *ONE_SERIES.keys),
        )


def test_a_cancelled_move_ends_where_it_is(pacs: RealPacs) -> None:
    async def scenario() -> None:
        async with stuck_move(pacs.peer, pacs.destination) as (retrieval, end, release):
            assert retrieval.progress == Counters(2, 1, 0, 0)
            retrieval.cancel()
            release.set()
            assert (await end).ending is Ending.CANCELLED  # Orthanc sends the rest all the same

    asyncio.run(scenario())


def test_what_is_silent_too_long_or_takes_too_long_is_cut(pacs: RealPacs) -> None:
    async def scenario() -> None:
        impatient = Limits(idle_timeout=0.3)
        async with stuck_move(pacs.peer, pacs.destination, impatient) as (_, end, _):
            with pytest.raises(TransientPeerError, match=r"was silent for 0\.3 s"):
                await end
        fed = Limits(idle_timeout=1, total_timeout=2)
        async with stuck_move(pacs.peer, pacs.destination, fed) as (retrieval, end, _):
            while not end.done():
                retrieval.feed()
                await asyncio.wait([end], timeout=0.05)
            with pytest.raises(TransientPeerError, match=r"a Study Root C-MOVE with PACS main .* took too long"):
                await end

    asyncio.run(scenario())


def test_a_pacs_that_is_killed_in_mid_move_is_lost_and_what_came_stays(tmp_path: Path, orthanc_binary: Path) -> None:
    (tmp_path / "source").mkdir()
    destination = free_port()
    settings = {"DicomModalities": {"us": [OURS, "127.0.0.1", destination]}}
    files = made_files(tmp_path / "source")[:3]
    with orthanc_process(orthanc_binary, tmp_path, files, **settings) as (port, process):

        async def scenario() -> None:
            peer = Peer("main", "127.0.0.1", port, AETitle("ORTHANC"), OURS)
            async with stuck_move(peer, destination) as (retrieval, end, _):
                assert retrieval.progress.completed == 1
                process.kill()
                with pytest.raises(TransientPeerError, match="PACS main"):
                    await end

        asyncio.run(scenario())


@asynccontextmanager
async def stuck_move(
    peer: Peer, destination: int, limits: Limits | None = None
) -> AsyncIterator[tuple[Retrieval, asyncio.Task[Moved], asyncio.Event]]:
    """Move three instances, of which one arrives; the next ones wait for the event."""
    async with sticking(destination, answered=1) as sticky:
        assoc = await Association.open(peer, [MOVE_CLASSES[Model.STUDY_ROOT]])
        retrieval = move(assoc, ONE_SERIES, OURS, limits)
        end = asyncio.create_task(retrieval.run())
        try:
            await sticky.stuck.wait()
            yield retrieval, end, sticky.released
        finally:
            await assoc.release()
