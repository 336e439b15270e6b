"""kill -9 anywhere in the writing of a lake; the next run puts it right and goes on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from crawler.errors import LakeError
from crawler.lake.query import Lake, open_lake
from crawler.lake.resume import complete_windows
from crawler.lake.writer import LakeWriter
from tests.integration import lake_victim

STEPS = 12
ROOT = Path(__file__).parents[2]
COVERED_ROWS = """SELECT count(*) FROM windows JOIN studies ON StudyInstanceUID LIKE
    '1.2.' || strftime(date_from, '%Y%m%d') || '.%' AND StudyDescription = 'final'"""


def run_victims(folder: Path, points: list[str], victim: str = "tests.integration.lake_victim") -> str:
    command = [sys.executable, "-m", victim, str(folder), *points]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=120).stdout


def check_promises(lake: Lake) -> None:
    windows, days = lake.sql("SELECT count(*), count(DISTINCT date_from) FROM windows").fetchall()[0]
    assert windows == days
    assert lake.sql(COVERED_ROWS).fetchall() == [(windows * lake_victim.STUDIES_A_DAY,)]
    for table, key in (("studies", "StudyInstanceUID"), ("series", "SeriesInstanceUID")):
        assert lake.sql(f"SELECT {key} FROM {table} GROUP BY ALL HAVING count(*) > 1").fetchall() == []


def check_whole(lake: Lake) -> None:
    check_promises(lake)
    wanted = sorted(uid for day in lake_victim.DAYS for uid in lake_victim.uids(day))
    assert lake.sql("SELECT StudyInstanceUID FROM studies ORDER BY ALL").fetchall() == [(uid,) for uid in wanted]
    assert lake.sql("SELECT StudyInstanceUID FROM series ORDER BY ALL").fetchall() == [(uid,) for uid in wanted]
    assert lake.sql("SELECT count(*) FROM windows").fetchall() == [(len(lake_victim.DAYS),)]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Lakes whose writers were killed: at steps spread over the whole of the writing, and at a few moments."""
    folder = tmp_path_factory.mktemp("killed")
    operations = int(run_victims(folder, ["all"]))
    steps = sorted({1 + operations * step // STEPS for step in range(STEPS)})
    points = [f"e{step}" for step in steps] + [f"t{milliseconds}" for milliseconds in range(60, 360, 50)]
    run_victims(folder, points)
    return [folder / point for point in points if (folder / point).exists()]


def test_a_killed_writer_leaves_a_lake_that_keeps_its_promises(killed: list[Path]) -> None:
    assert len(killed) > STEPS * 0.8
    unfinished = 0
    for path in killed:
        LakeWriter.open(path).close()
        with open_lake(path) as lake:
            check_promises(lake)
        unfinished += len(complete_windows(path, "main", "s1")) < len(lake_victim.DAYS)
        lake_victim.write(path)
        with open_lake(path) as lake:
            check_whole(lake)
            on_disk = {str(file.relative_to(path / "log")) for file in (path / "log").glob("entity=*/*")}
            assert on_disk == {file.path for file in lake.files()}
    assert unfinished > len(killed) / 2


def test_readers_of_a_killed_lake_see_whole_commits(tmp_path: Path) -> None:
    run_victims(tmp_path, [f"t{milliseconds}" for milliseconds in range(90, 400, 60)])
    for path in tmp_path.iterdir():
        try:
            with open_lake(path) as lake:
                check_promises(lake)
        except LakeError:
            assert not (path / "log" / "_delta_log" / f"{0:020d}.json").exists()
