"""Questions to simulated PACS: every form of an answer, every way in which one ends."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pydicom
import pytest

from crawler.asking.dicom_json import as_json
from crawler.asking.dump import from_text
from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.quirks import Failure, OverCap, Quirks
from crawler.testing.simulator import Simulator, running
from jobs.cli import main

FIRST, LAST = date(2024, 3, 1), date(2024, 3, 10)
ARCHIVE = Archive(studies=300, first=FIRST, last=LAST)
DAY = date(2024, 3, 5)
KEYS = [
    "StudyInstanceUID",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "StudyDate",
    "StudyTime",
    "ModalitiesInStudy",
]
QUIRKS = {
    "good": Quirks(),
    "other": Quirks(relational=True, explicit_vr=True),
    "capped": Quirks(cap=100),
    "refusing": Quirks(cap=10, over_cap=OverCap.REFUSE_A700),
    "breaking": Quirks(fails_after=50, failure=Failure.ABORT),
    "unsupporting": Quirks(says_unsupported=True),
    "deaf": Quirks(ignores_cancel=True),
}


@pytest.fixture(scope="module")
def pacs() -> Iterator[dict[str, Simulator]]:
    with ExitStack() as until:
        yield {
            name: until.enter_context(running(Simulator(ARCHIVE, ae_title="SIMPACS", quirks=quirks)))
            for name, quirks in QUIRKS.items()
        }


Find = Callable[..., tuple[int, bytes, str]]


@pytest.fixture
def find(
    pacs: dict[str, Simulator],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> Find:
    """Give the command, with all of them in pacslake.toml; it gives exit code, answers and talk."""
    sections = "".join(
        f'[pacs.{name}]\nhost = "127.0.0.1"\nport = {one.port}\nae_title = "SIMPACS"\n' for name, one in pacs.items()
    )
    (tmp_path / "pacslake.toml").write_text(f'[lake]\npath = "lake"\n{sections}')
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, bytes, str]:
        code = main(["find", *arguments])
        told = capfdbinary.readouterr()
        return code, told.out, told.err.decode()

    return run


def truth(*columns: str) -> pa.Table:
    return ARCHIVE.table(Level.STUDY, DAY, DAY).select(columns).sort_by("StudyInstanceUID")


def test_a_table_has_the_columns_of_the_lake(find: Find, tmp_path: Path) -> None:
    code, _, said = find("good", "StudyDate=20240305", *KEYS[:4], *KEYS[5:], "--out", "answer.parquet")
    assert code == 0, said
    table = pq.read_table(tmp_path / "answer.parquet").sort_by("StudyInstanceUID")
    assert table.column_names == ["source", "StudyDate", *KEYS[:4], *KEYS[5:]]
    assert table.select(KEYS).to_pylist() == truth(*KEYS).to_pylist()
    assert set(table["source"].to_pylist()) == {"good"}
    assert (tmp_path / "answer.parquet").stat().st_mode & 0o077 == 0


def test_csv_is_the_same_table(find: Find) -> None:
    _, out, _ = find("good", "StudyDate=20240305", *KEYS, "--format", "csv")
    rows = sorted(csv.DictReader(io.StringIO(out.decode())), key=lambda row: row["StudyInstanceUID"])
    assert [row["PatientName"] for row in rows] == truth(*KEYS)["PatientName"].to_pylist()
    assert rows[0]["StudyDate"] == "2024-03-05"
    assert rows[0]["ModalitiesInStudy"].startswith("[")


def test_text_and_both_kinds_of_json_say_the_same(find: Find) -> None:
    asked = ("good", "StudyDate=20240305", "PatientName", "StudyTime")
    _, text, _ = find(*asked, "--format", "text")
    _, array, _ = find(*asked, "--format", "json")
    _, lines, _ = find(*asked, "--format", "jsonl")
    answers = json.loads(array)
    assert len(answers) == truth("StudyInstanceUID").num_rows
    assert [json.loads(line) for line in lines.splitlines()] == answers
    assert [as_json(from_text(block)) for block in text.decode().strip().split("\n\n")] == answers


def test_no_answer_is_an_answer(find: Find) -> None:
    assert find("good", "PatientID=nobody", "--format", "json")[:2] == (0, b"[]\n")
    assert find("good", "PatientID=nobody", "PatientName", "--format", "csv")[:2] == (
        0,
        b"source,PatientID,PatientName\n",
    )


def test_files_keep_every_byte(find: Find, tmp_path: Path) -> None:
    _, out, _ = find("good", "StudyDate=20240305", "PatientName", "--format", "jsonl", "--files", "answers")
    files = sorted((tmp_path / "answers").iterdir())
    lines = out.decode().splitlines()
    assert [path.name for path in files] == [f"good-{number:06}.dcm" for number in range(1, len(lines) + 1)]
    names = [json.loads(line)["00100010"].get("Value", [{}])[0].get("Alphabetic", "") for line in lines]
    assert [str(pydicom.dcmread(path).PatientName) for path in files] == names


@pytest.mark.parametrize("name", ["question.json", "question.txt", "question.dcm"])
def test_a_question_comes_from_a_file_and_keys_go_over_it(find: Find, tmp_path: Path, name: str) -> None:
    content = {"00080020": {"vr": "DA", "Value": ["20240301"]}, "00100010": {"vr": "PN"}}
    if name.endswith("txt"):
        (tmp_path / name).write_text("(0008,0020) DA [20240301]  # 8, 1 StudyDate\n(0010,0010) PN\n")
    elif name.endswith("json"):
        (tmp_path / name).write_text(json.dumps(content))
    else:
        dataset = pydicom.Dataset()
        dataset.StudyDate, dataset.PatientName = "20240301", ""
        dataset.save_as(tmp_path / name, implicit_vr=True, little_endian=True)
    code, out, said = find("good", "--query", name, "StudyDate=20240305", "StudyInstanceUID", "--format", "csv")
    assert code == 0, said
    rows = list(csv.DictReader(io.StringIO(out.decode())))
    assert sorted(row["PatientName"] for row in rows) == sorted(
        truth("PatientName", "StudyInstanceUID")["PatientName"].to_pylist()
    )
    assert set(rows[0]) == {"source", "StudyDate", "PatientName", "StudyInstanceUID"}


def test_several_pacs_are_asked_at_once_and_each_row_says_whose_it_is(find: Find) -> None:
    code, out, said = find("good", "other", "StudyDate=20240305", "StudyInstanceUID", "--format", "csv")
    uids = truth("StudyInstanceUID")["StudyInstanceUID"].to_pylist()
    rows = {(row["source"], row["StudyInstanceUID"]) for row in csv.DictReader(io.StringIO(out.decode()))}
    assert code == 0
    assert rows == {(name, uid) for name in ("good", "other") for uid in uids}
    assert said.count("0x0000 (success)") == 2
    answers = json.loads(find("good", "other", "StudyDate=20240305", "--format", "json")[1])
    assert {one["00091001"]["Value"][0] for one in answers} == {"good", "other"}


def test_a_limit_cancels(find: Find) -> None:
    for name in ("good", "deaf"):
        code, out, said = find(name, "StudyInstanceUID", "--limit", "7", "--format", "jsonl")
        assert (code, len(out.splitlines())) == (0, 7)
        assert f"{name}: 7 answers in " in said
        assert said.endswith("stopped there, as --limit says\n")


def test_a_limit_above_what_there_is_does_nothing(find: Find) -> None:
    code, out, said = find("good", "StudyInstanceUID", "--limit", "300", "--format", "jsonl")
    assert (code, len(out.splitlines())) == (0, 300)
    assert "success" in said


@pytest.mark.parametrize(
    ("names", "code", "sentence"),
    [
        (["breaking"], 3, "the PACS aborted the association before its final response"),
        (["refusing"], 1, "0xA700 (out of resources)"),
        (["refusing", "good"], 3, "0xA700 (out of resources)"),
        (["NOBODY@127.0.0.1:1"], 1, "nothing listens at PACS NOBODY@127.0.0.1:1"),
        (["unsupporting"], 0, "it leaves some of the keys out of account, as it says (0xFF01)"),
    ],
)
def test_every_end_is_told(find: Find, names: list[str], code: int, sentence: str) -> None:
    ended, _, said = find(*names, "StudyInstanceUID", "StudyDate", "--format", "csv")
    assert ended == code, said
    assert sentence in said


def test_as_many_answers_as_the_cap_may_not_be_all(find: Find, tmp_path: Path) -> None:
    text = (tmp_path / "pacslake.toml").read_text().replace("[pacs.capped]\n", "[pacs.capped]\ncap = 100\n")
    (tmp_path / "pacslake.toml").write_text(text)
    code, _, said = find("capped", "StudyInstanceUID", "--format", "csv")
    assert code == 3
    assert "100 is its cap: there may be more, so ask for less at a time" in said


def test_below_a_study_its_uid_is_wanted_or_a_relational_query(find: Find) -> None:
    uid = truth("StudyInstanceUID")["StudyInstanceUID"][0].as_py()
    code, _, said = find("good", "--level", "series", "Modality=CT", "--relational")
    assert code == 1
    assert "0xC001" in said or "0xA900" in said
    assert "it did not grant relational queries" in said
    assert "a query at series level takes StudyInstanceUID, of one each; or --relational" in said
    assert find("good", "--level", "series", f"StudyInstanceUID={uid}")[0] == 0
    code, out, said = find("other", "--level", "series", "Modality=CT", "--relational", "--format", "jsonl")
    assert (code, "grant" in said) == (0, False), said
    assert len(out.splitlines()) > 0


def test_patient_root_and_its_levels(find: Find) -> None:
    patient = truth("StudyInstanceUID", "PatientID")["PatientID"][0].as_py()
    code, out, said = find("good", "--patient", "--level", "patient", f"PatientID={patient}", "--format", "jsonl")
    assert (code, len(out.splitlines())) == (0, 1), said
    assert find("good", "--level", "patient")[0] == 2
    assert find("good", "--patient-study-only", "--level", "series")[0] == 2
    assert find("good", "--worklist", "--level", "study")[0] == 2


def test_limits_of_a_pacs_hold(find: Find, tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    assert main(["pacs", "pause", "good"]) == 0
    code, out, said = find("good", "other", "StudyDate=20240305", "StudyInstanceUID", "--format", "csv")
    assert code == 0
    assert b"good" not in out
    assert "good may not be asked now: it is paused" in said


def test_nothing_of_a_patient_is_said(find: Find) -> None:
    rows = ARCHIVE.table(Level.STUDY).to_pylist()
    said = ""
    for name in ("good", "breaking", "refusing"):
        said += find(name, "PatientName=*", "PatientID", "--format", "csv", "--log-level", "debug")[2]
    assert not [row for row in rows for value in (row["PatientID"], row["PatientName"]) if value and value in said]
