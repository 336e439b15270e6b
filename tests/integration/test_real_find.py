"""Questions to Orthanc and to a worklist of DCMTK's wlmscpfs, from Python and by the command."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import date, time
from pathlib import Path

import pydicom
import pytest

import crawler
from crawler.asking.command import PartialAnswerWarning
from crawler.asking.files import read_query
from crawler.asking.tree import vr_of
from crawler.decode.text import CHARSET_VRS
from crawler.errors import PeerError, UserError
from jobs.cli import main
from tests.integration.files import bundled_files, made_files
from tests.integration.real_pacs import orthanc
from tests.integration.worklists import AE_TITLE, Entry, wlmscpfs

STEP = "ScheduledProcedureStepSequence"
ENTRIES = [Entry(number, date(2026, 3, number), modality="MR" if number % 3 else "CT") for number in range(1, 10)]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return made_files(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def limited(files: list[Path], tmp_path_factory: pytest.TempPathFactory, orthanc_binary: Path) -> Iterator[str]:
    """Run Orthanc, which ends answers of more than ten."""
    with orthanc(orthanc_binary, tmp_path_factory.mktemp("orthanc"), files, LimitFindResults=10) as port:
        yield f"ORTHANC@127.0.0.1:{port}"


@pytest.fixture(scope="module")
def ris(tmp_path_factory: pytest.TempPathFactory, dcmtk_tool: Callable[[str], Path]) -> Iterator[str]:
    with wlmscpfs(dcmtk_tool("wlmscpfs"), tmp_path_factory.mktemp("worklist")) as worklist:
        worklist.put(*ENTRIES)
        yield f"{AE_TITLE}@127.0.0.1:{worklist.port}"


def test_a_table_says_what_the_files_say(limited: str, files: list[Path]) -> None:
    truth = {str(one.StudyInstanceUID): one for one in map(pydicom.dcmread, files) if one.PatientID == "P001"}
    table = crawler.find(limited, "PatientName=Müller*", "StudyInstanceUID", "StudyDate", "PatientID")
    assert table.column_names == ["source", "PatientName", "StudyInstanceUID", "StudyDate", "PatientID"]
    assert {row["StudyInstanceUID"]: f"{row['StudyDate']:%Y%m%d}" for row in table.to_pylist()} == {
        uid: str(one.StudyDate) for uid, one in truth.items()
    }
    assert set(table["PatientName"].to_pylist()) == {"Müller^Jörg^von"}


def test_datasets_come_as_pydicom_has_them(limited: str, files: list[Path]) -> None:
    expected = pydicom.dcmread(files[0])
    uids = f"StudyInstanceUID={expected.StudyInstanceUID}", f"SeriesInstanceUID={expected.SeriesInstanceUID}"
    found = list(crawler.find_datasets(limited, *uids, "PatientName", "InstanceNumber", level="image"))
    assert {one.InstanceNumber for one in found} == {1, 2, 3}
    assert all(one.StudyInstanceUID == expected.StudyInstanceUID for one in found)
    first = next(crawler.find_datasets(limited, "PatientName=Щукин*", limit=1))
    assert first.PatientName == "Щукин^Юрий"


def test_an_answer_that_was_cut_off_is_not_taken_for_the_whole(limited: str) -> None:
    with pytest.warns(PartialAnswerWarning, match=r"10 answers in .* s, 0xFE00 \(cancelled\)"):
        table = crawler.find(limited, "StudyInstanceUID")
    assert table.num_rows == 10


def test_mistakes_and_silence_are_errors(limited: str) -> None:
    with pytest.raises(UserError, match="did you mean 'PatientName'"):
        crawler.find(limited, "PatientNam=X")
    with pytest.raises(UserError, match="tempo is no way to ask"):
        crawler.find(limited, tempo=3)  # type: ignore[call-arg]  # that it is none is the point
    with pytest.raises(PeerError, match="nothing listens at PACS X@127"):
        list(crawler.find_datasets("X@127.0.0.1:1"))


def test_a_worklist_is_matched_by_what_lies_in_its_sequence(ris: str, capfd: pytest.CaptureFixture[str]) -> None:
    keys = f"{STEP}.Modality=CT", f"{STEP}[0].ScheduledProcedureStepStartDate=20260304-", "PatientName"
    told = f"{STEP}.ScheduledStationAETitle", f"{STEP}.ScheduledProtocolCodeSequence.CodeMeaning"
    assert main(["find", ris, "--worklist", *keys, *told, "--format", "json"]) == 0
    answers = json.loads(capfd.readouterr().out)
    assert len(answers) == 2
    [step] = answers[0]["00400100"]["Value"]
    assert step["00400001"]["Value"] == ["CT01", "CT02"]
    assert step["00400008"]["Value"][1]["00080104"]["Value"] == ["high"]
    assert answers[0]["00100010"]["Value"] == [{"Alphabetic": "Müller^Jörg"}]


def test_a_table_of_a_worklist_has_the_columns_of_the_lake(ris: str) -> None:
    [row] = crawler.find(ris, f"{STEP}.ScheduledProcedureStepStartDate=20260305", model="worklist").to_pylist()
    assert row["ScheduledProcedureStepStartDate"] == date(2026, 3, 5)
    assert row["ScheduledProcedureStepStartTime"] == time(9, 30)
    assert (row["Modality"], row["ScheduledStationAETitle"]) == ("MR", ["CT01", "CT02"])


def test_what_dcmdump_prints_is_a_question(
    files: list[Path], tmp_path: Path, dcmtk_tool: Callable[[str], Path]
) -> None:
    legible, compared = CHARSET_VRS | {"UI", "DA", "IS"}, 0
    for name in (files[-1], *bundled_files()):
        printed = subprocess.run([dcmtk_tool("dcmdump"), "+L", name], capture_output=True).stdout
        if b"PixelSequence" in printed or b"\x1b" in printed or not printed.isascii():
            continue  # no question has pixels, and a dump says not in which character set it is
        (tmp_path / "question.txt").write_bytes(printed)
        read, expected = read_query(tmp_path / "question.txt"), read_query(name)
        assert read.keys() == expected.keys()
        assert [tag for tag in read if vr_of(tag) in legible and read[tag] != expected[tag]] == []
        compared += 1
    assert compared >= 5
