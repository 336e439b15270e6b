"""C-MOVE and C-GET of the simulated PACS as real peers see them: DCMTK's tools and pynetdicom get all, byte by byte."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.hospital import SOP_CLASSES
from crawler.testing.simulator import Simulator, running
from tests.integration.storing import (
    MOVE,
    PATIENT_MOVE,
    Arrivals,
    arriving,
    associated,
    datasets_in,
    failed_in,
    get,
    identifier,
    move,
    storescp,
)

ARCHIVE = Archive(30, date(2024, 3, 4), date(2024, 3, 8), rows=8, columns=6, most_images=12)
IMAGES = ARCHIVE.table(Level.IMAGE)
STUDY, SERIES = (IMAGES[name][100].as_py() for name in ("StudyInstanceUID", "SeriesInstanceUID"))
OF_SERIES = ["-k", "QueryRetrieveLevel=SERIES", "-k", f"StudyInstanceUID={STUDY}", "-k", f"SeriesInstanceUID={SERIES}"]
Tool = Callable[[str], Path]


def uids(name: str, *values: str) -> list[str]:
    """Give the instances that have one of these values."""
    found: list[str] = IMAGES.filter(pc.is_in(IMAGES[name], pa.array(values)))["SOPInstanceUID"].to_pylist()
    return found


def assert_true(pacs: Simulator, found: dict[str, bytes], expected: list[str]) -> None:
    assert sorted(found) == sorted(expected)
    assert all(pacs.objects.truth(uid).dataset == dataset for uid, dataset in found.items())


def test_dcmtk_moves_and_gets_all_of_a_series(dcmtk_tool: Tool, tmp_path: Path) -> None:
    moved, got = tmp_path / "moved", tmp_path / "got"
    moved.mkdir()
    got.mkdir()
    with running(Simulator(ARCHIVE)) as pacs, storescp(dcmtk_tool("storescp"), moved) as port:
        pacs.destinations["STORESCP"] = ("127.0.0.1", port)
        where = ["-aec", "SIMPACS", "127.0.0.1", str(pacs.port)]
        moving: list[str | Path] = [dcmtk_tool("movescu"), "-S", "-aem", "STORESCP", *OF_SERIES, *where]
        subprocess.run(moving, check=True, timeout=30)
        getting: list[str | Path] = [dcmtk_tool("getscu"), "-S", "+B", "-od", got, *OF_SERIES, *where]
        subprocess.run(getting, check=True, timeout=30)
        assert_true(pacs, datasets_in(moved), uids("SeriesInstanceUID", SERIES))
        assert_true(pacs, datasets_in(got), uids("SeriesInstanceUID", SERIES))
        assert (pacs.counts.moves, pacs.counts.gets) == ({Level.SERIES: 1}, {Level.SERIES: 1})
        assert pacs.counts.stores == 2 * len(datasets_in(got))


def test_pynetdicom_moves_at_every_level() -> None:
    studies = ARCHIVE.table(Level.STUDY)
    patient = studies["PatientID"][0].as_py()
    theirs = studies.filter(pc.equal(studies["PatientID"], patient))["StudyInstanceUID"].to_pylist()
    images = uids("SeriesInstanceUID", SERIES)[:3]
    above = {"StudyInstanceUID": STUDY, "SeriesInstanceUID": SERIES}
    asked = [
        (identifier("PATIENT", PatientID=patient), uids("StudyInstanceUID", *theirs)),
        (identifier("STUDY", StudyInstanceUID=STUDY), uids("StudyInstanceUID", STUDY)),
        (identifier("SERIES", **above), uids("SeriesInstanceUID", SERIES)),
        (identifier("IMAGE", **above, SOPInstanceUID=[*images, "1.2.3"]), images),
        (identifier("IMAGE", **above, SOPInstanceUID="1.2.3"), []),
    ]
    with running(Simulator(ARCHIVE)) as pacs:
        for question, expected in asked:
            arrivals = Arrivals()
            model = PATIENT_MOVE if question.QueryRetrieveLevel == "PATIENT" else MOVE
            with arriving(arrivals) as port:
                pacs.destinations["SCP"] = ("127.0.0.1", port)
                *pending, (final, _) = move(pacs, question, model=model)
            assert_true(pacs, arrivals.datasets, expected)
            assert (final.Status, final.NumberOfCompletedSuboperations) == (0, len(expected))
            assert arrivals.originators == ({("TESTER", 77)} if expected else set())
            told = [(one.NumberOfRemainingSuboperations, one.NumberOfCompletedSuboperations) for one, _ in pending]
            assert all(sum(pair) == len(expected) for pair in told)
            assert len(pending) >= len(expected) // 5 - 1
        assert pacs.counts.moves == {Level.PATIENT: 1, Level.STUDY: 1, Level.SERIES: 1, Level.IMAGE: 2}


def test_pynetdicom_gets_what_it_takes() -> None:
    asked, classes = identifier("STUDY", StudyInstanceUID=STUDY), list(SOP_CLASSES.values())
    expected = uids("StudyInstanceUID", STUDY)
    kinds = dict(zip(IMAGES["SOPInstanceUID"].to_pylist(), IMAGES["SOPClassUID"].to_pylist(), strict=True))
    with running(Simulator(ARCHIVE)) as pacs:
        arrivals = Arrivals()
        *_, (final, _) = get(pacs, asked, arrivals, classes)
        assert_true(pacs, arrivals.datasets, expected)
        assert (final.Status, final.NumberOfCompletedSuboperations) == (0, len(expected))
        arrivals, one_kind = Arrivals(), kinds[expected[0]]
        *_, (final, named) = get(pacs, asked, arrivals, [one_kind])
        assert_true(pacs, arrivals.datasets, [uid for uid in expected if kinds[uid] == one_kind])
        assert final.Status == 0xB000
        assert failed_in(named) == [uid for uid in expected if kinds[uid] != one_kind]


def test_failures_are_counted_and_named() -> None:
    expected = uids("SeriesInstanceUID", SERIES)
    asked = identifier("SERIES", StudyInstanceUID=STUDY, SeriesInstanceUID=SERIES)
    arrivals = Arrivals()
    with running(Simulator(ARCHIVE)) as pacs, arriving(arrivals) as port:
        pacs.destinations["SCP"] = ("127.0.0.1", port)
        arrivals.refused = set(expected[:2])
        *_, (final, named) = move(pacs, asked)
        assert (final.Status, final.NumberOfFailedSuboperations) == (0xB000, 2)
        assert failed_in(named) == expected[:2]
        arrivals.refused = set(expected)
        assert move(pacs, asked)[-1][0].Status == 0xA702
        arrivals.refused, arrivals.status = set(), 0xB000
        *_, (final, named) = move(pacs, asked)
        assert (final.Status, final.NumberOfWarningSuboperations, failed_in(named)) == (0xB000, len(expected), [])
        assert move(pacs, asked, "NOBODY")[-1][0].Status == 0xA801
        pacs.destinations["SCP"] = ("127.0.0.1", 1)
        *_, (final, named) = move(pacs, asked)
        assert (final.Status, failed_in(named)) == (0xA702, expected)
        assert pacs.counts.stores == 3 * len(expected)
        assert move(pacs, identifier("SERIES", SeriesInstanceUID=SERIES))[-1][0].Status == 0xA900
        assert move(pacs, identifier("STUDY"))[-1][0].Status == 0xA900


@pytest.mark.parametrize("leaves", [False, True])
def test_a_cancelled_move_ends(leaves: bool) -> None:
    arrivals = Arrivals()
    with running(Simulator(Archive(30, date(2024, 3, 4), date(2024, 3, 8)))) as pacs, arriving(arrivals) as port:
        pacs.destinations["SCP"] = ("127.0.0.1", port)
        assoc = associated(pacs, MOVE)
        responses = assoc.send_c_move(identifier("STUDY", StudyInstanceUID=STUDY), "SCP", MOVE, msg_id=5)
        status, _ = next(responses)
        assert status.Status == 0xFF00
        if leaves:
            assoc.abort()
        else:
            assoc.send_c_cancel(5, query_model=MOVE)
            *_, (final, _) = responses
            assert final.Status == 0xFE00
            assert final.NumberOfRemainingSuboperations > 0
            assert final.NumberOfCompletedSuboperations == len(arrivals.objects)
            assoc.release()
    assert 0 < len(arrivals.objects) < len(uids("StudyInstanceUID", STUDY)) * 100
