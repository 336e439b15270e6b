"""The simulated PACS as others see it: DCMTK's tools, our own requestor, and processes that start and stop it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import pyarrow as pa
import pydicom
import pytest

from crawler.columns import CATALOGUE
from crawler.decode.decode import decode
from crawler.errors import RefusedError, TransientPeerError
from crawler.model import AETitle, Level, Model, Peer
from crawler.pacs.association import Association
from crawler.pacs.identifier import Query
from crawler.pacs.status import CANCELLED
from crawler.testing.archive import Archive
from crawler.testing.quirks import Quirks
from crawler.testing.simulator import NOT_UNDERSTOOD, Simulator, running

ARCHIVE = Archive(1500, date(2024, 2, 1), date(2024, 3, 10), undated=2)
DAY = date(2024, 3, 4)
Tool = Callable[[str], Path]


def peer_of(simulator: Simulator, called_ae: str = "SIMPACS") -> Peer:
    return Peer("sim", simulator.host, simulator.port, AETitle(called_ae), AETitle("TESTER"))


def run_tool(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([path, *arguments], capture_output=True, text=True, timeout=30, check=False)


async def ask(assoc: Association, query: Query) -> pa.Table:
    stream = assoc.find(query)
    tables = [decode(batch, query.level) async for batch in stream]
    assert stream.status == 0
    return pa.concat_tables(tables) if tables else ARCHIVE.table(query.level).slice(0, 0)


def assert_equal(found: pa.Table, truth: pa.Table) -> None:
    for name in truth.column_names:
        assert found[name].to_pylist() == truth[name].to_pylist(), name


def test_dcmtk_echoes_and_is_counted(dcmtk_tool: Tool) -> None:
    with running(Simulator(ARCHIVE, ae_title="SIMPACS")) as pacs:
        assert run_tool(dcmtk_tool("echoscu"), "-aec", "SIMPACS", pacs.host, str(pacs.port)).returncode == 0
        refused = run_tool(dcmtk_tool("echoscu"), "-aec", "OTHER", pacs.host, str(pacs.port))
        assert "Called AE Title Not Recognized" in refused.stdout + refused.stderr
        assert pacs.counts.echoes == 1
        assert pacs.peak_associations == 1


@pytest.mark.parametrize("syntax", ["-xi", "-xe"])
def test_dcmtk_finds_what_the_archive_has(dcmtk_tool: Tool, tmp_path: Path, syntax: str) -> None:
    keys = [f"{attribute.tag >> 16:04x},{attribute.tag & 0xFFFF:04x}" for attribute in CATALOGUE[Level.STUDY]]
    arguments = [part for key in keys for part in ("-k", key)]
    with running(Simulator(ARCHIVE)) as pacs:
        run = run_tool(
            dcmtk_tool("findscu"), "-S", syntax, "-X", "-od", str(tmp_path), "-k", "0008,0052=STUDY", *arguments,
            "-k", "0008,0020=20240304", pacs.host, str(pacs.port),
        )  # fmt: skip
        assert pacs.counts.queries == {Level.STUDY: 1}
    assert run.returncode == 0, run.stderr
    truth = ARCHIVE.table(Level.STUDY, DAY, DAY).to_pylist()
    files = sorted(tmp_path.iterdir())
    assert len(files) == len(truth)
    for file, row in zip(files, truth, strict=True):
        answer = pydicom.dcmread(file)
        assert answer.StudyInstanceUID == row["StudyInstanceUID"]
        assert str(answer.PatientName) == row["PatientName"]
        assert answer.QueryRetrieveLevel == "STUDY"
        modalities = answer.ModalitiesInStudy
        assert ([modalities] if isinstance(modalities, str) else list(modalities)) == row["ModalitiesInStudy"]


def test_every_level_gives_the_truth() -> None:
    async def crawl() -> None:
        async with Simulator(ARCHIVE) as pacs:
            models = [Model.STUDY_ROOT, Model.PATIENT_ROOT]
            assoc = await Association.open(peer_of(pacs), models)
            studies = await ask(assoc, Query(Model.STUDY_ROOT, Level.STUDY, {}))
            assert_equal(studies, ARCHIVE.table(Level.STUDY))
            day = Query(Model.STUDY_ROOT, Level.STUDY, {"StudyDate": "20240304"})
            uids = (await ask(assoc, day))["StudyInstanceUID"].to_pylist()
            below = [Query(Model.STUDY_ROOT, Level.SERIES, {"StudyInstanceUID": uid}) for uid in uids]
            series = pa.concat_tables([await ask(assoc, query) for query in below])
            assert_equal(series, ARCHIVE.table(Level.SERIES, DAY, DAY))
            parents = series.select(["StudyInstanceUID", "SeriesInstanceUID"]).to_pylist()
            below = [Query(Model.STUDY_ROOT, Level.IMAGE, parent) for parent in parents]
            images = pa.concat_tables([await ask(assoc, query) for query in below])
            assert_equal(images, ARCHIVE.table(Level.IMAGE, DAY, DAY))
            patients = await ask(assoc, Query(Model.PATIENT_ROOT, Level.PATIENT, {}))
            assert_equal(patients, ARCHIVE.table(Level.PATIENT))
            await assoc.release()
            assert pacs.counts.queries[Level.SERIES] == len(uids)

    asyncio.run(crawl())


def test_keys_narrow_the_answer() -> None:
    truth = [{name: str(value) for name, value in row.items()} for row in ARCHIVE.table(Level.STUDY).to_pylist()]
    some = next(row for row in truth[100:] if row["AccessionNumber"] and row["PatientName"].isascii())
    two = {truth[3]["StudyInstanceUID"], truth[900]["StudyInstanceUID"]}
    beginning = some["PatientName"][:4]
    questions: list[tuple[dict[str, str], Callable[[dict[str, str]], bool]]] = [
        ({"StudyDate": "20240301-"}, lambda row: "None" > row["StudyDate"] >= "2024-03-01"),
        (
            {"StudyDate": "20240304", "StudyTime": "10-1129"},
            lambda row: row["StudyDate"] == "2024-03-04" and "10:00" <= row["StudyTime"] < "11:30",
        ),
        ({"ModalitiesInStudy": "MG"}, lambda row: "MG" in row["ModalitiesInStudy"]),
        ({"PatientName": f"{beginning.upper()}*"}, lambda row: row["PatientName"].startswith(beginning)),
        ({"PatientID": some["PatientID"]}, lambda row: row["PatientID"] == some["PatientID"]),
        ({"AccessionNumber": some["AccessionNumber"]}, lambda row: row is some),
        ({"StudyInstanceUID": "\\".join(two)}, lambda row: row["StudyInstanceUID"] in two),
    ]

    async def crawl() -> None:
        async with Simulator(ARCHIVE) as pacs:
            assoc = await Association.open(peer_of(pacs), [Model.STUDY_ROOT])
            for keys, wanted in questions:
                found = await ask(assoc, Query(Model.STUDY_ROOT, Level.STUDY, keys))
                expected = [row["StudyInstanceUID"] for row in truth if wanted(row)]
                assert found["StudyInstanceUID"].to_pylist() == expected, keys
                assert expected, keys

    asyncio.run(crawl())


def test_a_malformed_key_or_a_missing_parent_is_refused() -> None:
    async def crawl() -> None:
        async with Simulator(ARCHIVE) as pacs:
            assoc = await Association.open(peer_of(pacs), [Model.STUDY_ROOT])
            for level, keys in ((Level.STUDY, {"StudyDate": "yesterday"}), (Level.SERIES, {"Modality": "CT"})):
                stream = assoc.find(Query(Model.STUDY_ROOT, level, keys))
                assert [batch async for batch in stream] == []
                assert stream.status == NOT_UNDERSTOOD
            assert pacs.counts.refused == 2

    asyncio.run(crawl())


def test_a_cancelled_query_stops_early_and_the_association_goes_on() -> None:
    async def crawl() -> None:
        async with Simulator(Archive(300_000)) as pacs:
            assoc = await Association.open(peer_of(pacs), [Model.STUDY_ROOT])
            stream = assoc.find(Query(Model.STUDY_ROOT, Level.STUDY, {}))
            await anext(stream)
            assert await stream.cancel()
            assert stream.status == CANCELLED
            assert stream.rows < 200_000
            assert await assoc.echo() == 0
            assert pacs.counts.cancelled == 1

    asyncio.run(crawl())


def test_associations_are_counted_and_limited() -> None:
    async def crawl() -> None:
        async with Simulator(ARCHIVE, ae_title="SIMPACS", quirks=Quirks(max_associations=2)) as pacs:
            two = [await Association.open(peer_of(pacs), [Model.STUDY_ROOT]) for _ in range(2)]
            query = Query(Model.STUDY_ROOT, Level.STUDY, {})
            tables = await asyncio.gather(*(ask(assoc, query) for assoc in two))
            assert tables[0].num_rows == tables[1].num_rows == ARCHIVE.total
            assert pacs.associations == pacs.peak_associations == 2
            with pytest.raises(TransientPeerError):
                await Association.open(peer_of(pacs), [Model.STUDY_ROOT])
            with pytest.raises(RefusedError):
                await Association.open(peer_of(pacs, "OTHER"), [Model.STUDY_ROOT])

    asyncio.run(crawl())


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_the_command_says_when_it_is_ready_and_stops_when_told(dcmtk_tool: Tool, ending: signal.Signals) -> None:
    command = [sys.executable, "-m", "jobs.cli", "simulate", "--port", "0", "--studies", "50"]
    with ExitStack() as stack:
        process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ))
        stack.callback(process.kill)
        assert process.stdout is not None
        words = process.stdout.readline().split()
        assert words[:2] == ["listening", "on"]
        host, port = words[2].split(":")
        run = run_tool(dcmtk_tool("findscu"), "-S", "-v", "-aec", "SIMPACS", "-k", "0008,0052=STUDY",
                       "-k", "0020,000d", host, port)  # fmt: skip
        assert (run.stdout + run.stderr).count("(Pending)") == 50
        process.send_signal(ending)
        assert process.wait(10) == 0
