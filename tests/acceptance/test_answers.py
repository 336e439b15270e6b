"""`pacslake sql` and `pacslake status` on a small lake: every format, the prompt, errors, and what is imported."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crawler.columns import schema
from crawler.lake.writer import LakeWriter
from crawler.model import Coverage, Level, SweepRecord, SweepState, Window, WindowState
from tests.acceptance.installed import ENVIRONMENT, pacslake

STARTED = datetime(2024, 5, 1, 22, 0, tzinfo=UTC)
STUDIES = [
    {"StudyInstanceUID": "1.2.1", "StudyDate": date(2024, 1, 1), "ModalitiesInStudy": ["CT", "SR"], "StudyID": ""},
    {"StudyInstanceUID": "1.2.2", "StudyDate": date(2024, 1, 2), "PatientName": "山田^太郎", "StudyID": 'a "b", c'},
    {"StudyInstanceUID": "1.2.3", "PatientName": "Doe\x1b[2J^J"},
]
ASKED = "select StudyInstanceUID uid, StudyDate as day, ModalitiesInStudy kinds, StudyID id from studies order by 1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with settings and a lake of three studies, one sweep and two windows."""
    folder = tmp_path_factory.mktemp("answers")
    (folder / "pacslake.toml").write_text("[lake]\npath = 'lake'\n[pacs.other]\nhost = 'h'\nport = 1\nae_title = 'X'\n")
    january, february = Window(date(2024, 1, 1), date(2024, 1, 31)), Window(date(2024, 2, 1), date(2024, 2, 29))
    with LakeWriter.open(folder / "lake") as writer:
        writer.stage(Level.STUDY, "main", "s1", pa.Table.from_pylist(STUDIES, schema=schema(Level.STUDY)))
        writer.commit(
            [
                Coverage("main", Level.STUDY, january, WindowState.COMPLETE, 3, "s1", STARTED, 12),
                Coverage("main", Level.STUDY, february, WindowState.CAPPED, 500, "s1", STARTED, 12),
            ],
            [
                SweepRecord(
                    "s1",
                    "main",
                    (Level.STUDY,),
                    None,
                    None,
                    SweepState.PARTIAL,
                    STARTED,
                    STARTED + timedelta(seconds=93),
                )
            ],
        )
    return folder


def answer(folder: Path, *arguments: str, stdin: str = "") -> str:
    done = pacslake(folder, "sql", *arguments, stdin=stdin)
    assert (done.returncode, done.stderr.decode()) == (0, "")
    return done.stdout.decode()


def test_a_table_is_aligned(folder: Path) -> None:
    assert answer(folder, ASKED).splitlines() == [
        "uid    day         kinds     id",
        "-----  ----------  --------  --------",
        "1.2.1  2024-01-01  [CT, SR]",
        '1.2.2  2024-01-02  NULL      a "b", c',
        "1.2.3  NULL        NULL      NULL",
    ]


def test_control_characters_of_a_pacs_do_not_reach_the_terminal(folder: Path) -> None:
    assert r"Doe\x1b[2J^J" in answer(folder, "select PatientName from studies")


def test_csv_tells_empty_text_from_null(folder: Path) -> None:
    assert answer(folder, ASKED, "--format", "csv").splitlines() == [
        "uid,day,kinds,id",
        '1.2.1,2024-01-01,"[CT, SR]",""',
        '1.2.2,2024-01-02,,"a ""b"", c"',
        "1.2.3,,,",
    ]


def test_json_and_json_lines_hold_the_same_rows(folder: Path) -> None:
    rows = json.loads(answer(folder, ASKED, "--format", "json"))
    assert rows[0] == {"uid": "1.2.1", "day": "2024-01-01", "kinds": ["CT", "SR"], "id": ""}
    assert [json.loads(line) for line in answer(folder, ASKED, "--format", "jsonl").splitlines()] == rows


def test_parquet_comes_to_standard_output_and_to_a_file(folder: Path) -> None:
    streamed = pacslake(folder, "sql", ASKED, "--format", "parquet").stdout
    assert answer(folder, ASKED, "--output", "answer.parquet") == ""
    table = pq.read_table(pa.BufferReader(streamed))
    assert table.equals(pq.read_table(folder / "answer.parquet"))
    assert table["kinds"].to_pylist() == [["CT", "SR"], None, None]
    assert table.schema.field("day").type == pa.date32()


def test_an_answer_is_appended_to_a_file_that_the_shell_opened(folder: Path) -> None:
    command = "echo first > all.csv; pacslake sql 'select 1 as a' --format csv >> all.csv; cat all.csv"
    done = subprocess.run(command, shell=True, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert done.stdout == "first\na\n1\n"


def test_many_rows_stream_and_a_reader_that_leaves_ends_them(folder: Path) -> None:
    assert answer(folder, "select count(*) as n from range(300000)", "--format", "csv") == "n\n300000\n"
    many = "select range as i from range(2000000000)"
    done = subprocess.run(
        f"pacslake sql '{many}' --format csv | head -2",
        shell=True,
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        timeout=60,
    )
    assert done.stdout == b"i\n0\n"


def test_statements_come_from_standard_input(folder: Path) -> None:
    script = "set threads = 1; select 1 as a; -- no;\nselect 2 as b"
    assert answer(folder, stdin=script).splitlines() == ["a", "-", "1", "b", "-", "2"]


@pytest.mark.parametrize(
    ("statement", "code", "sentence"),
    [
        ("selec 1", 2, 'Parser Error: syntax error at or near "selec"'),
        ("select StudyDat from studies", 2, "StudyDat"),
        ("select * from study", 2, "study"),
        ("select StudyInstanceUID::int from studies", 1, "Conversion Error"),
        ("", 2, "there is no statement to run"),
    ],
)
def test_an_error_is_said_with_its_code(folder: Path, statement: str, code: int, sentence: str) -> None:
    for form in ("table", "csv") if code == 1 else ("table",):  # what fails while it runs fails in another place
        done = pacslake(folder, "sql", statement, "--format", form)
        assert (done.returncode, done.stdout) == (code, b"")
        assert done.stderr.decode().startswith("pacslake: ")
        assert sentence in done.stderr.decode()
        assert "1.2.1" not in done.stderr.decode()


@pytest.mark.parametrize("form", ["table", "csv"])
def test_ctrl_c_ends_a_long_answer_at_once(folder: Path, form: str) -> None:
    endless = "select i from range(1000000000000) t(i) where i % 7 = 8 or i = 0 or i = 200000000"
    with subprocess.Popen(
        ["pacslake", "sql", endless, "--format", form],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        while "_duckdb" not in Path(f"/proc/{process.pid}/maps").read_text():
            time.sleep(0.05)
        time.sleep(1.5)  # until the question is asked
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=30)[1].decode()
    assert (process.returncode, said.strip()) == (130, "pacslake: interrupted")


def test_the_prompt_takes_lines_and_survives_errors(folder: Path, tmp_path: Path) -> None:
    typed = (
        "select 1 as one,\n2 as two;\nselec;\n.schema studies\n.tables\n.what\nselect 'go' || 'ing' as state;\n.quit\n"
    )
    master, slave = pty.openpty()
    with subprocess.Popen(
        ["pacslake", "sql"],
        cwd=folder,
        env={**ENVIRONMENT, "HOME": str(tmp_path), "TERM": "dumb"},
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        os.close(slave)
        os.write(master, typed.encode())
        shown = process.communicate(timeout=60)[0].decode()
    os.close(master)
    assert process.returncode == 0
    for expected in (
        "one  two\n---  ---\n  1    2",
        "Parser Error",
        "StudyInstanceUID",
        "instances",
        ".schema",
        "going",
    ):
        assert expected in shown
    assert (tmp_path / ".pacslake_history").stat().st_mode & 0o777 == 0o600


def test_status_is_one_screen(folder: Path) -> None:
    done = pacslake(folder, "status")
    assert done.stdout.decode().replace(str(folder), "<folder>").splitlines() == [
        "Lake <folder>/lake, version 1",
        "",
        "main",
        "  last sweep  partial, 2024-05-01 22:00:00 UTC, took 1:33",
        "  rows        3 studies",
        "  windows     study: 1 complete, 1 capped",
        "",
        "other",
        "  last sweep  never",
        "",
        "Not every day is proven complete at main; `pacslake coverage` says which.",
    ]


def test_status_is_json_too(folder: Path) -> None:
    status = json.loads(pacslake(folder, "status", "--format", "json").stdout)
    main, other = status["pacs"]
    assert main["windows"] == {"study": {"complete": 1, "capped": 1}}
    assert main["last_sweep"]["started_at"] == "2024-05-01T22:00:00+00:00"
    assert other == {"pacs": "other", "last_sweep": None, "rows": {}, "windows": {}}


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (
            ["--help"],
            {"pydantic", "structlog", "rich", "duckdb", "numpy", "pyarrow", "deltalake", "pynetdicom", "pydicom"},
        ),
        (["status"], {"structlog", "numpy", "pyarrow", "deltalake", "pynetdicom", "pydicom"}),
        (["coverage", "other"], {"structlog", "numpy", "pyarrow", "deltalake", "pynetdicom", "pydicom"}),
        (["sql", "select 1"], {"structlog", "pynetdicom", "pydicom"}),
    ],
)
def test_a_quick_command_imports_little(folder: Path, arguments: list[str], unwanted: set[str]) -> None:
    code = "import sys; from jobs.cli import main; main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not unwanted & set(done.stderr.split())


def test_no_command_waits_for_what_libraries_import_unasked(folder: Path) -> None:
    command, environment = ["pacslake", "sql", "from studies"], {**ENVIRONMENT, "PYTHONPROFILEIMPORTTIME": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=60)
    assert done.returncode == 0
    assert b" pyarrow\n" in done.stderr
    assert b" pandas." not in done.stderr
