"""`pacslake export` as a user runs it: every format read back, its file whole and private, errors, and its memory."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import time
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow.parquet as pq
import pytest
from fhir.resources.R4B.imagingstudy import ImagingStudy

from crawler.lake.writer import LakeWriter
from crawler.model import Level
from tests.acceptance.installed import ENVIRONMENT, pacslake
from tests.property.lake.answers import answers

FORMULA = '=HYPERLINK("http://x")'
STUDIES: list[dict[str, Any]] = [
    {"StudyInstanceUID": "1.1", "StudyDate": date(2024, 1, 31), "ModalitiesInStudy": ["CT", "SR"], "PatientID": "-1"},
    {"StudyInstanceUID": "1.2", "StudyDescription": FORMULA, "NumberOfStudyRelatedSeries": -5},
    {"StudyInstanceUID": "1.3", "PatientName": "山田^太郎"},
]
SERIES: list[dict[str, Any]] = [
    {"StudyInstanceUID": "1.1", "SeriesInstanceUID": "1.1.2", "SeriesNumber": 2, "Modality": "CT"},
    {"StudyInstanceUID": "1.1", "SeriesInstanceUID": "1.1.1", "SeriesNumber": 1},
    {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "not a uid"},
]
ASKED = (
    "select StudyInstanceUID as uid, StudyDate as day, ModalitiesInStudy as kinds, StudyDescription as text,"
    " PatientID as patient, NumberOfStudyRelatedSeries as series from studies order by uid;"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    (folder / "pacslake.toml").write_text("[lake]\npath = 'lake'\n")
    with LakeWriter.open(folder / "lake") as writer:
        writer.stage(Level.STUDY, "main", "s1", answers(Level.STUDY, STUDIES))
        writer.stage(Level.SERIES, "main", "s1", answers(Level.SERIES, SERIES))
        writer.commit()
    return folder


def export(folder: Path, name: str, *arguments: str) -> Path:
    """Export into a file of this name, check how it stands there, and give it."""
    done = pacslake(folder, "export", *arguments, "--output", name, "--overwrite")
    assert (done.returncode, done.stdout) == (0, b""), done.stderr.decode()
    assert done.stderr.decode().startswith(f"{name}: ")
    assert (folder / name).stat().st_mode & 0o777 == 0o600
    assert not list(folder.glob(".*")), "the draft's folder is gone"
    return folder / name


def read_csv(path: Path) -> list[list[str]]:
    with open(path, newline="") as file:
        return list(csv.reader(file))


@pytest.fixture(autouse=True)
def _tidy(folder: Path) -> None:
    for path in folder.glob("a.*"):
        path.unlink()


def test_csv_is_as_it_is_and_safe_on_request(folder: Path) -> None:
    header = ["uid", "day", "kinds", "text", "patient", "series"]
    plain = read_csv(export(folder, "a.csv", "--sql", ASKED))
    assert plain == [
        header,
        ["1.1", "2024-01-31", "[CT, SR]", "", "-1", ""],
        ["1.2", "", "", FORMULA, "", "-5"],
        ["1.3", "", "", "", "", ""],
    ]
    safe = read_csv(export(folder, "a.csv", "--sql", ASKED, "--formula-safe"))
    assert safe == [header, [*plain[1][:4], "'-1", ""], ["1.2", "", "", f"'{FORMULA}", "", "-5"], plain[3]]


def test_json_lines_and_parquet_keep_types(folder: Path) -> None:
    lines = export(folder, "a.jsonl", "--sql", ASKED).read_text().splitlines()
    assert [json.loads(line)["kinds"] for line in lines] == [["CT", "SR"], None, None]
    table = pq.read_table(export(folder, "a.parquet", "--sql", ASKED))
    assert table["kinds"].to_pylist() == [["CT", "SR"], None, None]
    assert table["day"].to_pylist() == [date(2024, 1, 31), None, None]


def test_excel_has_text_where_a_formula_was_tried(folder: Path) -> None:
    book = openpyxl.load_workbook(export(folder, "a.xlsx", "--sql", ASKED))
    rows = [[(cell.value, cell.data_type) for cell in row] for row in book.active.iter_rows(min_row=2)]
    assert rows[0][1:3] == [(datetime(2024, 1, 31), "d"), ("[CT, SR]", "s")]
    assert rows[0][4] == ("-1", "s")
    assert rows[1][3] == (FORMULA, "s")
    assert rows[1][5] == (-5, "n")


def test_fhir_is_a_valid_resource_a_line_with_its_series_in_order(folder: Path) -> None:
    path = export(folder, "a.ndjson", "--format", "fhir", "--zone", "Europe/Berlin")
    resources = [json.loads(line) for line in path.read_text().splitlines()]
    for resource in resources:
        ImagingStudy.model_validate(resource)
    series = [[one["uid"] for one in resource.get("series", [])] for resource in resources]
    assert series == [["1.1.1", "1.1.2"], [], []]


def test_fhir_of_some_studies_counts_what_it_left_out(folder: Path) -> None:
    some = "select pacs, StudyInstanceUID from studies where StudyDescription like '=%'"
    done = pacslake(folder, "export", "--format", "fhir", "--sql", some, "--output", "a.ndjson")
    sentence = "a.ndjson: 1 ImagingStudy resources without 1 series whose UID FHIR does not allow"
    assert done.stderr.decode().startswith(sentence)


@pytest.mark.parametrize(("table", "rows"), [("studies", 3), ("series_history", 3), ("omop_imaging_staging", 3)])
def test_tables_and_views_are_exported_by_name(folder: Path, table: str, rows: int) -> None:
    path = export(folder, "a.csv", table)
    assert len(read_csv(path)) == rows + 1


def test_a_file_that_is_there_stays(folder: Path) -> None:
    (folder / "a.csv").write_text("mine")
    done = pacslake(folder, "export", "studies", "--output", "a.csv")
    assert (done.returncode, done.stderr.decode()) == (2, "pacslake: a.csv exists; --overwrite replaces it\n")
    assert (folder / "a.csv").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--output", "a.csv"], 2, "say what to export: a table, studies say, or --sql"),
        (["studies", "--sql", "from series", "--output", "a.csv"], 2, "a table or --sql, not both"),
        (["studies", "--output", "a.txt"], 2, "--output needs a format: --format csv|jsonl|parquet|xlsx|fhir"),
        (["studies", "--output", "a.xlsx", "--formula-safe"], 2, "--formula-safe is for CSV"),
        (["studies", "--output", "a.csv", "--zone", "UTC"], 2, "--zone is for --format fhir"),
        (["--format", "fhir", "--zone", "Mars", "--output", "a.ndjson"], 2, "'Mars' is not a time zone"),
        (["series", "--format", "fhir", "--output", "a.ndjson"], 2, "made from studies"),
        (["study", "--output", "a.csv"], 2, "Table with name study does not exist"),
        (["--sql", "selec", "--output", "a.csv"], 2, "Parser Error"),
        (["--sql", "set threads = 1", "--output", "a.csv"], 2, "gives no rows to export"),
        (["--sql", "select (StudyInstanceUID || '.x')::int from studies", "--output", "a.csv"], 1, "Conversion Error"),
        (["--sql", "select (StudyInstanceUID || '.x')::int from studies", "--output", "a.xlsx"], 1, "Conversion Error"),
        (["--sql", "select 1 as a", "--format", "fhir", "--output", "a.ndjson"], 2, "Binder Error"),
        (["studies", "--output", "none/a.csv"], 1, "none/a.csv could not be written (No such file or directory)"),
        (["studies", "--output", "lake", "--format", "csv"], 2, "lake is a folder; name a file"),
    ],
)
def test_an_error_is_one_sentence_and_leaves_nothing(
    folder: Path, arguments: list[str], code: int, sentence: str
) -> None:
    done = pacslake(folder, "export", *arguments)
    assert (done.returncode, done.stdout) == (code, b"")
    assert done.stderr.decode().startswith("pacslake: ")
    assert sentence in done.stderr.decode()
    assert "1.1" not in done.stderr.decode()
    assert sorted(os.listdir(folder)) == ["lake", "pacslake.toml"]


def interrupted(folder: Path, statement: str, name: str) -> None:
    """Have Ctrl-C typed amid an export, and see that it ends and leaves nothing."""
    command = ["pacslake", "export", "--sql", statement, "--output", name]
    with subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stderr=subprocess.PIPE) as process:
        while not list(folder.glob(f".{name}.*")):
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        try:
            said = process.communicate(timeout=30)[1].decode()
        finally:
            process.kill()
    assert (process.returncode, said.strip()) == (130, "pacslake: interrupted")
    assert sorted(os.listdir(folder)) == ["lake", "pacslake.toml"]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_ctrl_c_leaves_nothing(folder: Path, kind: str) -> None:
    interrupted(folder, "select range as i from range(1000000000000)", f"a.{kind}")


def test_ctrl_c_ends_what_does_not_end(folder: Path, tmp_path: Path) -> None:
    """As of a disk that does not answer, or of DuckDB where it waits for itself: here of a pipe that nobody writes."""
    os.mkfifo(tmp_path / "silent.csv")
    interrupted(folder, f"from read_csv('{tmp_path}/silent.csv', columns={{'i': 'int'}})", "a.csv")


@pytest.mark.parametrize("kind", ["csv", "parquet", "xlsx"])
def test_memory_does_not_grow_with_the_rows(folder: Path, kind: str) -> None:
    peaks = []
    for rows in (20_000, 200_000):
        statement = f"select i, repeat(i::varchar, 20) as text from range({rows}) t(i)"
        words = ["pacslake", "export", "--sql", statement, "--output", f"a.{kind}", "--overwrite"]
        with subprocess.Popen(words, cwd=folder, env=ENVIRONMENT, stderr=subprocess.DEVNULL) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        peaks.append(usage.ru_maxrss / 1024)
    assert peaks[1] < peaks[0] * 1.3, peaks
