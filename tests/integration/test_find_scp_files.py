"""Files that are here, sent by C-MOVE and C-GET to DCMTK's tools, and counters that tell what is missing."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pytest
from pydicom import dcmread

from crawler.lake.audit import AuditLog
from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.simulator import Simulator, running
from jobs.cli import main
from tests.integration.finding import answering
from tests.integration.real_pacs import free_port, wait_for

ARCHIVE = Archive(4, date(2024, 3, 1), date(2024, 3, 1), seed=5, series_per_study=2)
SERIES = ARCHIVE.table(Level.SERIES).to_pylist()
IMAGES = ARCHIVE.table(Level.IMAGE).to_pylist()


@dataclass(frozen=True, slots=True)
class Place:
    """A lake with the files of one series of a study of several, which answers."""

    folder: Path
    port: int
    taker: int
    """Where storescp is to listen, as TAKER."""


SEVERAL = [one for one in SERIES if one["SeriesNumber"] > 1 < one["NumberOfSeriesRelatedInstances"]]
SMALL = min(SEVERAL, key=lambda one: one["NumberOfSeriesRelatedInstances"])
STUDY = [f"StudyInstanceUID={SMALL['StudyInstanceUID']}"]
OF_SERIES = [*STUDY, f"SeriesInstanceUID={SMALL['SeriesInstanceUID']}"]
TRUTH = {one["SOPInstanceUID"] for one in IMAGES if one["SeriesInstanceUID"] == SMALL["SeriesInstanceUID"]}
OF_STUDY = {one["SOPInstanceUID"] for one in IMAGES if one["StudyInstanceUID"] == SMALL["StudyInstanceUID"]}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("files")
    file = folder / "pacslake.toml"
    with running(Simulator(ARCHIVE)) as pacs:
        section = f'[pacs.main]\nhost = "127.0.0.1"\nport = {pacs.port}\nae_title = "SIM"\nretrieve_by = "get"\n'
        file.write_text(f'[lake]\npath = "lake"\n{section}')
        assert main(["sweep", "--config", str(file), "--level", "image"]) == 0
        retrieve = ["cohort", "retrieve", "--config", str(file), "--series", SMALL["SeriesInstanceUID"]]
        assert main(retrieve) == 0
    taker = free_port()
    files = (folder / "store", {"TAKER": ("127.0.0.1", taker)})
    with answering(folder / "lake", {"main": "SIM"}, files=files) as port:
        yield Place(folder, port, taker)


def asked(tool: Path, place: Place, level: str, keys: list[str], *options: str) -> str:
    """Run one of DCMTK's tools and give what it says."""
    words = [word for key in [f"QueryRetrieveLevel={level}", *keys] for word in ("-k", key)]
    command = [str(tool), "-v", "-S", "-aec", "PACSLAKE", "127.0.0.1", str(place.port), *options, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout + done.stderr


def received(folder: Path) -> set[str]:
    """Give the instances in a folder, which must be whole."""
    found = [dcmread(file) for file in folder.iterdir()]
    assert all(one.file_meta.MediaStorageSOPInstanceUID == one.SOPInstanceUID for one in found)
    return {one.SOPInstanceUID for one in found}


def test_getscu_gets_what_is_here(place: Place, tmp_path: Path, dcmtk_tool: Callable[[str], Path]) -> None:
    said = asked(dcmtk_tool("getscu"), place, "SERIES", OF_SERIES, "-od", str(tmp_path))
    assert received(tmp_path) == TRUTH, said
    last = list(AuditLog(place.folder / "lake").entries())[-1]
    assert (last["action"], last["what"], last["rows"]) == ("send", "C-GET SERIES to GETSCU", len(TRUTH))


def test_files_of_a_pacs_that_is_not_shown_are_not_had(
    place: Place, tmp_path: Path, dcmtk_tool: Callable[[str], Path]
) -> None:
    hidden = {"other": "OTHER"}
    with answering(place.folder / "lake", hidden, files=(place.folder / "store", {})) as port:
        asked(dcmtk_tool("getscu"), replace(place, port=port), "SERIES", OF_SERIES, "-od", str(tmp_path))
    assert received(tmp_path) == set()


def test_movescu_has_them_sent_and_is_told_what_is_missing(
    place: Place, tmp_path: Path, dcmtk_tool: Callable[[str], Path]
) -> None:
    command = [str(dcmtk_tool("storescp")), "-aet", "TAKER", "-od", str(tmp_path), str(place.taker)]
    with subprocess.Popen(command) as storescp:
        try:
            wait_for(place.taker)
            said = asked(dcmtk_tool("movescu"), place, "STUDY", STUDY, "-aem", "TAKER", "-d")
        finally:
            storescp.terminate()
    assert received(tmp_path) == TRUTH, said
    assert re.search(rf"Failed Suboperations *: {len(OF_STUDY - TRUTH)}\n", said), said
    assert "0xb000" in said


@pytest.mark.parametrize(
    ("level", "keys", "to", "status"),
    [
        ("SERIES", OF_SERIES, "NOBODY", "0xa801"),
        ("SERIES", STUDY, "TAKER", "0xa900"),
        ("SERIES", OF_SERIES[1:], "TAKER", "0xa900"),
        ("STUDY", ["StudyInstanceUID=1.2.*"], "TAKER", "0xa900"),
        ("STUDY", ["StudyInstanceUID=1.2.3"], "TAKER", "0x0000"),
    ],
)
def test_what_cannot_be_sent_is_refused(
    place: Place, dcmtk_tool: Callable[[str], Path], level: str, keys: list[str], to: str, status: str
) -> None:
    said = asked(dcmtk_tool("movescu"), place, level, keys, "-aem", to, "-d")
    assert status in said.lower()
