"""`pacslake move` and `pacslake get` from a simulated PACS that misbehaves: what is missing is named, exit code 3."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pydicom
import pytest

from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.quirks import Claims, Quirks
from crawler.testing.simulator import Simulator, running
from jobs.cli import main
from tests.acceptance.installed import ENVIRONMENT, pacslake
from tests.integration.real_pacs import kept_port

HELD = Archive(3, date(2024, 2, 1), date(2024, 2, 2), seed=5, series_per_study=2, rows=8, columns=6, most_images=6)
SERIES = max(HELD.table(Level.SERIES).to_pylist(), key=lambda row: row["NumberOfSeriesRelatedInstances"])
STUDY, UID, COUNT = (SERIES[key] for key in ("StudyInstanceUID", "SeriesInstanceUID", "NumberOfSeriesRelatedInstances"))


@contextmanager
def asked(folder: Path, quirks: Quirks) -> Iterator[Simulator]:
    """Run a PACS that misbehaves, and write the settings for it, with the patience of tests."""
    with running(Simulator(HELD, quirks=quirks)) as pacs, kept_port() as port:
        pacs.destinations["PACSLAKE"] = ("127.0.0.1", port)
        (folder / "pacslake.toml").write_text(
            f'[lake]\npath = "lake"\n[local]\nport = {port}\n[pacs.main]\nhost = "127.0.0.1"\nport = {pacs.port}\n'
            'ae_title = "SIMPACS"\nretrieve_patience = 0.02\n'
        )
        yield pacs


def run(folder: Path, *words: str) -> int:
    """Do what is typed, without a process of its own: most of its time would be imports."""
    with contextlib.chdir(folder):
        return main(words)


def instances(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.rglob("*.dcm"))


@pytest.mark.parametrize("way", ["move", "get"])
def test_what_did_not_come_is_asked_for_by_name(tmp_path: Path, way: str, capsys: pytest.CaptureFixture[str]) -> None:
    with asked(tmp_path, Quirks(skips_every=3, claims=Claims.COMPLETED)):
        assert run(tmp_path, way, "main", "--study", STUDY, "--series", UID, "--to", "out") == 0
    assert f"1 of 1 series complete, {COUNT} of {COUNT} instances here" in capsys.readouterr().err
    truth = [row["SOPInstanceUID"] for row in HELD.table(Level.IMAGE).to_pylist() if row["SeriesInstanceUID"] == UID]
    assert instances(tmp_path / "out") == sorted(truth)


@pytest.mark.parametrize("way", ["move", "get"])
def test_a_pacs_that_sends_nothing_and_says_success_is_not_believed(
    tmp_path: Path, way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with asked(tmp_path, Quirks(skips_every=1, claims=Claims.COMPLETED, relational=True)):
        assert run(tmp_path, way, "main", "--series", UID, "--to", "out", "--format", "json") == 3
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    [missing] = found["pacs"]["main"]["missing"]
    assert (found["complete"], missing["SeriesInstanceUID"], missing["missing"]) == (False, UID, COUNT)
    assert "the PACS answered success and sent nothing" in printed.err


def test_a_patient_of_whom_there_is_nothing_is_not_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with asked(tmp_path, Quirks()):
        assert run(tmp_path, "get", "main", "--patient", "SECRET", "--to", "out", "--format", "json") == 3
    printed = capsys.readouterr()
    assert "main lists nothing of this patient" in printed.err
    assert "SECRET" not in printed.err
    assert json.loads(printed.out)["complete"] is False


def test_an_instance_alone_is_all_that_is_asked_for(tmp_path: Path) -> None:
    one = HELD.table(Level.IMAGE).to_pylist()[0]["SOPInstanceUID"]
    with asked(tmp_path, Quirks(relational=True)) as pacs:
        assert run(tmp_path, "move", "main", "--image", one, "--to", "out") == 0
        assert pacs.counts.moves.total() == 1
    assert instances(tmp_path / "out") == [one]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_it_goes_on_where_it_was_ended(tmp_path: Path, number: signal.Signals, code: int) -> None:
    words = ["pacslake", "get", "main", "--study", STUDY, "--to", "out"]
    slow = asked(tmp_path, Quirks(sends_per_second=1))
    with slow, subprocess.Popen(words, cwd=tmp_path, env=ENVIRONMENT, stderr=subprocess.PIPE) as process:
        while not instances(tmp_path):
            time.sleep(0.02)
        process.send_signal(number)
        assert process.wait(30) == code
    before = instances(tmp_path)
    for path in tmp_path.rglob("*.dcm"):
        assert pydicom.dcmread(path).SOPInstanceUID == path.stem
    with asked(tmp_path, Quirks()):
        assert pacslake(tmp_path, *words[1:]).returncode == 0
    assert set(before) < set(instances(tmp_path))
    assert not (tmp_path / "out" / ".incoming").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--to", "out"], "say what to bring: --patient, --study, --series, --image"),
        (["--series", "1.2.3"], "say where to: --to DIR, or --destination AE"),
        (["--study", "1.2/..", "--to", "out"], "'1.2/..' after --study is no UID"),
        (["--patient", "*", "--to", "out"], "--patient takes a PatientID as it is, without * and ?"),
        (["--study", "1", "--study", "2", "--series", "3", "--to", "out"], "--study may stand once beside --series"),
        (["--series", "1.2", "--to", "out", "--model", "patient"], "wants the patient too: add --patient"),
    ],
)
def test_a_mistake_is_one_sentence(
    tmp_path: Path, words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "move", "A@127.0.0.1:1", *words) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1


def test_a_pacs_that_wants_the_study_gets_it_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with asked(tmp_path, Quirks()):
        assert run(tmp_path, "get", "main", "--series", UID, "--to", "out") == 1
    assert "add --study and --series" in capsys.readouterr().err


def test_a_file_that_is_another_is_not_believed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "out" / STUDY / UID / "1.2.3.dcm"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"something else")
    with asked(tmp_path, Quirks()):
        assert run(tmp_path, "get", "main", "--study", STUDY, "--series", UID, "--to", "out") == 2
    assert "is not the instance that its name says: move it away" in capsys.readouterr().err
