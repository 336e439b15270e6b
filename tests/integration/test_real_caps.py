"""Servers that answer with less than they have, swept by the command: the lake holds all that was stored."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import pydicom
import pytest

from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.quirks import OverCap, Quirks
from crawler.testing.simulator import Simulator, running
from tests.acceptance.installed import pacslake
from tests.acceptance.sweeping import ask, configure, differences, said
from tests.integration.files import studies_at
from tests.integration.real_pacs import dcmqrscp, orthanc

BUSY = date(2024, 3, 5)
ON_ONE_DAY, LATER = 120, 90
MOMENTS = [datetime(2024, 3, 5, 8) + timedelta(minutes=4 * number) for number in range(ON_ONE_DAY)]
MOMENTS += [datetime(2024, 3, 6, 9, 30) + timedelta(days=number // 3, hours=number % 3) for number in range(LATER)]
SWEEP = ("sweep", "--level", "study", "--from", "2024-02-01", "--to", "2024-05-01")
HELD = "select StudyInstanceUID from studies order by all"
QUERIES = "select sum(queries) from sweeps"
UNPROVEN = "select distinct date_from, date_to, key, state from windows where state <> 'complete'"


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return studies_at(tmp_path_factory.mktemp("files"), MOMENTS)


def uids(files: list[Path]) -> list[tuple[str]]:
    return sorted((str(pydicom.dcmread(file, specific_tags=["StudyInstanceUID"]).StudyInstanceUID),) for file in files)


def configure_for(folder: Path, port: int, ae_title: str) -> None:
    configure(folder, {"main": port})
    path = folder / "pacslake.toml"
    path.write_text(path.read_text().replace("SIMPACS", ae_title))


def test_orthanc_with_a_limit(tmp_path: Path, orthanc_binary: Path, stored: list[Path]) -> None:
    with orthanc(orthanc_binary, tmp_path, stored, LimitFindResults=20) as port:
        configure_for(tmp_path, port, "ORTHANC")
        done = pacslake(tmp_path, *SWEEP)
    assert ask(tmp_path, HELD) == uids(stored)
    assert done.returncode == 4, said(done)
    # Orthanc lets no range of times find studies without a time, and 90 others do not show that there are none.
    assert ask(tmp_path, UNPROVEN) == [(BUSY, BUSY, "StudyTime=", "capped")]
    [(queries,)] = ask(tmp_path, QUERIES)
    assert queries < 6 * len(MOMENTS) / 20


def test_orthanc_with_a_limit_that_days_stay_below(tmp_path: Path, orthanc_binary: Path, stored: list[Path]) -> None:
    with orthanc(orthanc_binary, tmp_path, stored, LimitFindResults=150) as port:
        configure_for(tmp_path, port, "ORTHANC")
        done = pacslake(tmp_path, *SWEEP)
    assert done.returncode == 0, said(done)
    assert ask(tmp_path, HELD) == uids(stored)
    assert ask(tmp_path, UNPROVEN) == []


def test_dcmqrscp(tmp_path: Path, dcmtk_tool: Callable[[str], Path], stored: list[Path]) -> None:
    with dcmqrscp(dcmtk_tool("dcmqrscp"), dcmtk_tool("dcmqridx"), tmp_path, stored) as port:
        configure_for(tmp_path, port, "DCMQRSCP")
        for arguments in (SWEEP, ("sweep", "--level", "study")):
            done = pacslake(tmp_path, *arguments)
            assert done.returncode == 0, said(done)
    assert ask(tmp_path, HELD) == uids(stored)
    assert ask(tmp_path, UNPROVEN) == []


@pytest.mark.parametrize("over_cap", list(OverCap))
def test_each_way_of_not_answering_too_much(tmp_path: Path, over_cap: OverCap) -> None:
    archive = Archive(2000, date(2024, 3, 1), date(2024, 3, 31), busy_day=BUSY, busy=1500)
    with running(Simulator(archive, quirks=Quirks(cap=200, over_cap=over_cap))) as pacs:
        configure(tmp_path, {"main": pacs.port})
        done = pacslake(tmp_path, *SWEEP)
    assert done.returncode == 0, said(done)
    assert differences(tmp_path, "main", Level.STUDY, archive) == []
    assert ask(tmp_path, UNPROVEN) == []
    assert pacs.counts.queries[Level.STUDY] < 15 * archive.total / 200
