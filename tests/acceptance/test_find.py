"""`pacslake find` as a person uses it, against simulated PACS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.simulator import Simulator, running
from tests.acceptance.installed import pacslake

DAY = date(2024, 3, 5)
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
