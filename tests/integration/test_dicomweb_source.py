"""One Orthanc, crawled by DICOM and by DICOMweb: its rows are equal, but for what docs/dicomweb.md lists."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import crawler
from crawler.model import Level
from tests.integration.files import bundled_files, made_files
from tests.integration.real_pacs import free_port, orthanc

TABLES = {Level.STUDY: "studies", Level.SERIES: "series", Level.IMAGE: "instances"}
SAID_BY_DICOM_ALONE = {"RetrieveAETitle", "InstanceAvailability"}
OF_THE_ROW = {"pacs", "first_seen_at", "changed_at", "sweep_id"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, orthanc_binary: Path, dicomweb_plugin: Path) -> Iterator[Path]:
    folder, http = tmp_path_factory.mktemp("both"), free_port()
    stored = made_files(tmp_path_factory.mktemp("files")) + bundled_files()
    # Orthanc 1.10 converts by the first of several character sets alone, where backslashes may become yen signs.
    stored = [path for path in stored if path.name not in ("chrH32.dcm", "J2K_pixelrep_mismatch.dcm")]
    plugin: dict[str, object] = {"Plugins": [str(dicomweb_plugin)], "DicomWeb": {"Enable": True}, "HttpPort": http}
    with orthanc(orthanc_binary, folder, stored, AuthenticationEnabled=False, **plugin) as port:
        (folder / "pacslake.toml").write_text(
            f"""[lake]
path = "lake"
[pacs.dicom]
host = "127.0.0.1"
port = {port}
ae_title = "ORTHANC"
levels = ["study", "series", "image"]
[pacs.web]
kind = "dicomweb"
url = "http://127.0.0.1:{http}/dicom-web/"
levels = ["study", "series", "image"]
page_rows = 30
"""
        )
        yield folder


@pytest.fixture(scope="module")
def lake(folder: Path) -> Path:
    done = _pacslake(folder, "sweep")
    assert done.returncode == 0, done.stderr
    return folder / "lake"


def _pacslake(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "jobs.cli", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("level", list(TABLES))
def test_both_ways_give_the_same_rows(lake: Path, level: Level) -> None:
    with crawler.open_lake(lake) as opened:
        rows = opened.sql(f"SELECT * FROM {TABLES[level]}").to_arrow_table().to_pylist()
    by_key: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        by_key.setdefault(row[level.unique_key], {})[row["pacs"]] = row
    assert len(by_key) > 30
    assert {tuple(sorted(one)) for one in by_key.values()} == {("dicom", "web")}
    different = {
        (name, repr(one["dicom"][name]), repr(one["web"][name]))
        for one in by_key.values()
        for name in one["dicom"].keys() - OF_THE_ROW - SAID_BY_DICOM_ALONE
        if _told(one["dicom"], name) != _told(one["web"], name)
    }
    assert {name for name, *_ in different} <= {"faults"} if level is Level.IMAGE else not different


def _told(row: dict[str, Any], name: str) -> object:
    """Give what a value says, without what the two ways are known to write otherwise."""
    value = row[name]
    if name == "raw":  # a name's bytes are kept where they are not ASCII, and a number's where it is no number
        return {one["tag"] for one in value} - {"00280008"}
    if isinstance(value, str):
        return value.rstrip("=") or None  # QIDO-RS leaves out what is empty, and empty groups of a name
    return value or None if isinstance(value, list) else value


def test_a_number_that_is_none_is_left_out_by_the_plugin(lake: Path) -> None:
    with crawler.open_lake(lake) as opened:
        faulty = opened.sql("SELECT DISTINCT pacs, faults[1].tag FROM instances WHERE len(faults) > 0").fetchall()
    assert faulty == [("dicom", "00280008")]


def test_the_check_says_what_it_can_look_at(folder: Path) -> None:
    done = _pacslake(folder, "check", "web", "--day", "2024-02-29")
    assert done.returncode == 0, done.stderr
    for words in (
        "answers searches for studies",
        "limit and offset are heeded",
        "StudyDate narrows the answer",
        "sweeps",
    ):
        assert words in " ".join(done.stdout.split())
