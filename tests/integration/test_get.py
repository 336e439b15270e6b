"""C-GET from Orthanc and dcmqrscp: what comes is what they have, whatever it is compressed by."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGKILL, SIGSTOP
from typing import Any

import pyarrow as pa
import pytest

from crawler.errors import TransientPeerError
from crawler.model import AETitle, Level, Limits, Model, Peer
from crawler.pacs import command as dimse
from crawler.pacs import framing
from crawler.pacs.acceptor import AcceptedAssociation, Service, serve
from crawler.pacs.association import Association
from crawler.pacs.command import Counters, encode_command
from crawler.pacs.messages import Message
from crawler.pacs.negotiation import EXPLICIT_VR, IMPLICIT_VR
from crawler.pacs.sop_classes import GET_CLASSES
from crawler.retrieve.expectation import Expectation
from crawler.retrieve.get import get, open_for_get
from crawler.retrieve.instance import NOT_AUTHORIZED
from crawler.retrieve.offer import Offer
from crawler.retrieve.status import Ending, Moved
from crawler.retrieve.storing import Storing
from crawler.retrieve.wanted import Wanted
from tests.integration.files import ROOT, made_files
from tests.integration.real_pacs import orthanc_process
from tests.integration.retrieving import ONE_SERIES, OURS, RealPacs, differences
from tests.integration.sending import CT, EVERYTHING, encoded, in_layout, left_over


@asynccontextmanager
async def getting(
    peer: Peer, folder: Path, offer: Offer, model: Model = Model.STUDY_ROOT
) -> AsyncIterator[tuple[Association, Storing, list[dict[str, Any]]]]:
    """Open an association, and a store for what comes on it."""
    rows: list[dict[str, Any]] = []

    def report(table: pa.Table) -> None:
        rows.extend(table.to_pylist())

    async with Storing.opened(folder, report) as store:
        store.expectation = EVERYTHING
        assoc = await open_for_get(peer, model, offer)
        try:
            yield assoc, store, rows
        finally:
            await assoc.release()


@pytest.mark.filterwarnings("ignore:Invalid value for VR")  # some of pydicom's files are malformed
def test_series_after_series_every_file_is_what_the_pacs_has(tmp_path: Path, pacs: RealPacs) -> None:
    async def scenario() -> None:
        offer = Offer.of({one.SOPClassUID for one in pacs.sources.values()})
        async with getting(pacs.peer, tmp_path, offer) as (assoc, store, rows):
            assert not offer.refused(assoc.agreement)
            ends = [await get(assoc, wanted, store).run() for wanted in pacs.series()]
            await store.settled()
            assert not list(differences(tmp_path, rows, pacs.sources))
            arrived = {row["SOPInstanceUID"] for row in rows}
            failed = {uid for end in ends for uid in end.failed_instances}
            assert len(arrived) == len(rows) == sum(end.completed or 0 for end in ends)
            assert {row["source_ae"] for row in rows} == {pacs.peer.called_ae}
            if pacs.peer.called_ae == "ORTHANC":
                assert {end.ending for end in ends} == {Ending.SUCCESS}
                assert len({row["transfer_syntax"] for row in rows}) >= 7
            # dcmqrscp accepts no compressed transfer syntax, and says so of each instance.
            assert all(pacs.sources[uid].file_meta.TransferSyntaxUID.is_compressed for uid in failed)
            assert arrived ^ failed == set(pacs.sources)

    asyncio.run(scenario())


def test_single_instances_studies_and_patients(tmp_path: Path, pacs: RealPacs) -> None:
    offer, model = Offer.of(modalities=["CT", "MR"]), Model.PATIENT_ROOT

    async def scenario() -> None:
        async with getting(pacs.peer, tmp_path, offer, model) as (assoc, store, rows):
            for wanted, uids in pacs.by_levels():
                told: list[Counters] = []
                end = await get(assoc, wanted, store).run(told.append)
                await store.settled()
                assert end == Moved(0, completed=len(uids), failed=0, warning=0)
                assert {row["SOPInstanceUID"] for row in rows} == uids
                assert told[0] == Counters(len(uids) - 1, 1, 0, 0)
                rows.clear()

    asyncio.run(scenario())


def test_what_was_not_offered_is_named_and_does_not_come(tmp_path: Path, pacs: RealPacs) -> None:
    no_such_class, mr = "1.2.826.0.1.3680043.10.1337", "1.2.840.10008.5.1.4.1.1.4"
    offer = Offer(((mr, (EXPLICIT_VR,)), (no_such_class, (EXPLICIT_VR,))))

    async def scenario() -> None:
        async with getting(pacs.peer, tmp_path, offer) as (assoc, store, _):
            assert offer.refused(assoc.agreement) == (no_such_class,)
            end = await get(assoc, ONE_SERIES, store).run()
            assert end.ending in (Ending.FAILED, Ending.BUSY)  # Orthanc gives up, dcmqrscp goes on
            assert end.completed == 0
            assert end.failed == len(end.failed_instances) == (1 if pacs.peer.called_ae == "ORTHANC" else 3)
            assert set(end.failed_instances) <= pacs.of("SeriesInstanceUID", *ONE_SERIES.keys)
        assert not in_layout(tmp_path)

    asyncio.run(scenario())


def test_what_is_not_expected_is_refused_and_counted_as_failed(tmp_path: Path, pacs: RealPacs) -> None:
    async def scenario() -> None:
        async with getting(pacs.peer, tmp_path, Offer.of()) as (assoc, store, _):
            store.expectation = Expectation(series=frozenset(("1.2.3",)))
            end = await get(assoc, ONE_SERIES, store).run()
            assert (end.completed, end.ending is Ending.SUCCESS) == (0, False)
            assert set(store.refusals) == {NOT_AUTHORIZED}
        assert not in_layout(tmp_path)

    asyncio.run(scenario())


def test_a_cancelled_get_ends_and_the_association_is_free(tmp_path: Path, pacs: RealPacs) -> None:
    async def scenario() -> None:
        async with getting(pacs.peer, tmp_path, Offer.of()) as (assoc, store, _):
            retrieval = get(assoc, Wanted(Model.STUDY_ROOT, Level.STUDY, (f"{ROOT}.1.1",)), store)
            end = await retrieval.run(lambda _: retrieval.cancel())
            assert end.ending is Ending.CANCELLED
            assert end.completed in (1, 2)
            assert (await get(assoc, ONE_SERIES, store).run()).completed == 3

    asyncio.run(scenario())


@pytest.mark.parametrize(("signal_number", "error"), [(SIGKILL, "PACS main"), (SIGSTOP, "was silent for 0")])
def test_a_pacs_that_dies_or_hangs_in_mid_get_is_lost_and_what_came_stays(
    tmp_path: Path, orthanc_binary: Path, signal_number: int, error: str
) -> None:
    (tmp_path / "source").mkdir()
    files = made_files(tmp_path / "source")[:3]
    with orthanc_process(orthanc_binary, tmp_path, files, DicomAlwaysAllowGet=True) as (port, process):

        async def scenario() -> None:
            peer = Peer("main", "127.0.0.1", port, AETitle("ORTHANC"), OURS)
            async with getting(peer, tmp_path / "store", Offer.of()) as (assoc, store, rows):
                retrieval = get(assoc, ONE_SERIES, store, Limits(idle_timeout=0.5))
                with pytest.raises(TransientPeerError, match=error):
                    await retrieval.run(lambda _: strike(process, signal_number))
                await store.settled()
                assert rows
                assert not left_over(tmp_path / "store")

        try:
            asyncio.run(scenario())
        finally:
            process.kill()


def strike(process: subprocess.Popen[bytes], signal_number: int) -> None:
    """Stop or kill it, and wait until that is done: until then those of its threads that run go on."""
    process.send_signal(signal_number)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WSTOPPED | os.WNOWAIT)


def test_an_object_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    data = encoded("1.2.3", 1_000_000)

    async def send_half(assoc: AcceptedAssociation, _: Message) -> None:
        (context_id,) = (one.context_id for one in assoc.contexts.values() if one.abstract_syntax == CT)
        announced = {dimse.FIELD: dimse.C_STORE_RQ, dimse.MESSAGE_ID: 1, dimse.PRIORITY: 0, dimse.DATA_SET_TYPE: 1}
        store = encode_command({dimse.SOP_CLASS: CT, dimse.SOP_INSTANCE: "1.2.3", **announced})
        whole = framing.frame_message(context_id, store, data, assoc.max_pdu)
        assoc.write(whole[: len(whole) // 2])
        await assoc.drain()
        await asyncio.sleep(0.2)
        assoc.reset()

    async def scenario() -> None:
        service = Service({GET_CLASSES[Model.STUDY_ROOT]: (IMPLICIT_VR,), CT: (EXPLICIT_VR,)}, stores_back=True)
        async with await serve(service, send_half) as server:
            peer = Peer("main", "127.0.0.1", server.port, AETitle("HALF"), OURS)
            async with getting(peer, tmp_path, Offer(((CT, (EXPLICIT_VR,)),))) as (assoc, store, rows):
                with pytest.raises(TransientPeerError):
                    await get(assoc, ONE_SERIES, store).run()
                assert not left_over(tmp_path)
            assert not rows

    asyncio.run(scenario())
