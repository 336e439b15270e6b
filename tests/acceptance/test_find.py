"""`pacslake find` as a person uses it, against a simulated PACS.

To write what is shown anew after an intended change, set PACSLAKE_WRITE_GOLDEN=1 and read the difference.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.simulator import Simulator, running
from tests.acceptance.installed import ENVIRONMENT, pacslake
from tests.acceptance.sweeping import configure

DAY = date(2024, 3, 5)
GOLDEN = Path(__file__).parent / "golden" / "find" / "session.txt"
ARCHIVE = Archive(studies=300, first=date(2024, 3, 1), last=date(2024, 3, 10))


@pytest.fixture(scope="module")
def pacs() -> Iterator[Simulator]:
    with running(Simulator(ARCHIVE, ae_title="SIMPACS")) as simulator:
        yield simulator


def test_a_pacs_is_asked_by_its_address_without_settings(tmp_path: Path, pacs: Simulator) -> None:
    address = f"SIMPACS@127.0.0.1:{pacs.port}"
    done = pacslake(tmp_path, "find", address, "StudyDate=20240305", "PatientName", "--format", "json")
    truth = ARCHIVE.table(Level.STUDY, DAY, DAY)
    answers = json.loads(done.stdout)
    told = [one["00100010"].get("Value", [{}])[0].get("Alphabetic", "") for one in answers]
    assert done.returncode == 0
    assert sorted(told) == sorted(truth["PatientName"].to_pylist())
    assert done.stderr.decode().startswith(f"{address}: {len(answers)} answers in ")
    assert done.stderr.decode().endswith(" s, 0x0000 (success)\n")


def test_a_wrong_keyword_suggests_the_right_one(tmp_path: Path, pacs: Simulator) -> None:
    done = pacslake(tmp_path, "find", f"SIMPACS@127.0.0.1:{pacs.port}", "PatientNam=X")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"pacslake: there is no attribute 'PatientNam'; did you mean 'PatientName'?\n"


def test_a_table_and_a_dump_as_a_person_sees_them(tmp_path: Path, pacs: Simulator) -> None:
    configure(tmp_path, {"main": pacs.port})
    uid = ARCHIVE.table(Level.STUDY, DAY, DAY)["StudyInstanceUID"][0].as_py()
    series = ("main", "--level", "series", f"StudyInstanceUID={uid}")
    shown = b"".join(
        pacslake(tmp_path, "find", *words).stdout
        for words in (series, (*series, "Modality", "SeriesNumber", "--format", "text", "--limit", "1"))
    )
    if os.environ.get("PACSLAKE_WRITE_GOLDEN"):
        GOLDEN.write_bytes(shown)
    assert shown == GOLDEN.read_bytes()


def test_who_reads_along_may_stop(tmp_path: Path, pacs: Simulator) -> None:
    command = f"pacslake find SIMPACS@127.0.0.1:{pacs.port} --format jsonl | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout.count(b"\n"), done.stderr) == (0, 1, b"")


def test_a_file_is_whole_or_not_there(tmp_path: Path, pacs: Simulator) -> None:
    done = pacslake(tmp_path, "find", f"WRONG@127.0.0.1:{pacs.port}", "--out", "answer.csv")
    assert (done.returncode, done.stdout, list(tmp_path.iterdir())) == (1, b"", [])
    assert f"PACS WRONG@127.0.0.1:{pacs.port} is not called WRONG: set the AE title in WRONG@" in done.stderr.decode()
    assert done.stderr.endswith(b"pacslake: no PACS answered the question\n")
