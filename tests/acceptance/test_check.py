"""`pacslake check` as a person sees it: the report, the exit code, what the lake then knows.

To write the report anew after an intended change, set PACSLAKE_WRITE_GOLDEN=1 and read the difference.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest

from crawler.lake.resume import findings_of
from crawler.lake.writer import LakeWriter
from crawler.model import Level
from crawler.pacs.profile import profile_from
from crawler.testing.archive import Archive
from crawler.testing.quirks import Quirks
from crawler.testing.simulator import Simulator, running
from tests.acceptance.installed import pacslake

ARCHIVE = Archive(studies=1500, first=date(2024, 1, 1), last=date(2024, 6, 30), undated=3)
QUIRKS = Quirks(cap=200, ignores=frozenset({"StudyTime"}), exclusive_ends=True, max_associations=1)
DAY = ("--day", "2024-03-05")
GOLDEN = Path(__file__).parent / "golden" / "check" / "quirks.txt"


@contextmanager
def simulated(folder: Path, quirks: Quirks | None = None) -> Iterator[Simulator]:
    with running(Simulator(ARCHIVE, ae_title="SIMPACS", quirks=quirks)) as pacs:
        configure(folder, pacs.port)
        yield pacs


def configure(folder: Path, port: int, ae_title: str = "SIMPACS") -> None:
    text = f'[lake]\npath = "lake"\n[pacs.main]\nhost = "127.0.0.1"\nport = {port}\nae_title = "{ae_title}"\n'
    (folder / "pacslake.toml").write_text(text)


def test_the_report_of_a_pacs_with_quirks(tmp_path: Path) -> None:
    with simulated(tmp_path, QUIRKS):
        done = pacslake(tmp_path, "check", "main", *DAY, "--yes")
    assert done.returncode == 3
    assert done.stderr == b""
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:<port>", done.stdout.decode())
    text = re.sub(r"\d+\.\d+ (m?s)\b", r"<time> \1", text)
    if os.environ.get("PACSLAKE_WRITE_GOLDEN"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()
    profile = profile_from(findings_of(tmp_path / "lake", "main"))
    assert (profile.cap, profile.unsupported, profile.exclusive_ends) == (200, frozenset({"StudyTime"}), True)


def test_a_good_pacs_and_the_day_from_the_lake(tmp_path: Path) -> None:
    with simulated(tmp_path) as pacs:
        assert pacslake(tmp_path, "check", "main", *DAY).returncode == 0
        assert b"no studies in the last week" in pacslake(tmp_path, "check", "main").stdout
        swept = pacslake(tmp_path, "sweep", "--from", "2024-06-01", "--to", "2024-06-10", "--level", "study")
        assert swept.returncode == 0
        before = pacs.counts.queries.total()
        done = pacslake(tmp_path, "check", "main", "--format", "json")
        report = json.loads(done.stdout)
        counted = pacs.counts.queries.total() - before
    [busy] = [one for one in report["checks"] if one["check"] == "busy_day"]
    assert re.match(r"2024-06-(0\d|10) has \d+ studies", busy["text"])
    assert (done.returncode, report["reached"], report["pacs"]) == (0, True, "main")
    assert len(report["checks"]) >= 30
    assert report["queries"] == counted + 1  # one was refused before it was counted
    assert report["seconds"] < 30


def test_no_value_of_a_patient_is_shown(tmp_path: Path) -> None:
    rows = ARCHIVE.table(Level.STUDY, date(2024, 3, 5), date(2024, 3, 5)).to_pylist()
    names = ("PatientName", "PatientID", "AccessionNumber", "StudyInstanceUID", "ReferringPhysicianName")
    with simulated(tmp_path, QUIRKS):
        done = pacslake(tmp_path, "check", "main", *DAY, "--yes", "--format", "json", "--debug", "--log-level", "debug")
    shown = (done.stdout + done.stderr).decode()
    assert len(rows) > 1
    assert not [row[name] for row in rows for name in names if row[name] and row[name] in shown]


def test_a_lake_in_use_is_left_alone(tmp_path: Path) -> None:
    with simulated(tmp_path), LakeWriter.open(tmp_path / "lake"):
        done = pacslake(tmp_path, "check", "main", *DAY)
    assert done.returncode == 0
    assert re.search(rb"What was learned is not kept: The lake at .* is in use by process \d+", done.stdout)
    assert findings_of(tmp_path / "lake", "main") == []


@pytest.mark.parametrize(
    ("title", "sentence"), [("OTHER", b"set pacs.main.ae_title to the AE title of the PACS"), ("", b"nothing listens")]
)
def test_a_pacs_that_cannot_be_reached(tmp_path: Path, title: str, sentence: bytes) -> None:
    with simulated(tmp_path) as pacs:
        configure(tmp_path, pacs.port if title else 1, title or "SIMPACS")
        done = pacslake(tmp_path, "check", "main")
    assert done.returncode == 1
    assert sentence in b" ".join(done.stdout.split())


def test_a_pacs_that_is_not_configured(tmp_path: Path) -> None:
    configure(tmp_path, 1)
    done = pacslake(tmp_path, "check", "mian")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"did you mean 'main'" in done.stderr
