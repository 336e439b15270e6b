"""Upkeep of a lake: what it leaves alone, what it takes away, while others read, and killed at any moment."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from crawler.errors import LakeError, UserError
from crawler.lake import keys
from crawler.lake.changes import Span, changes
from crawler.lake.commits import commit_file
from crawler.lake.flaws import Harm
from crawler.lake.query import Lake, open_lake
from crawler.lake.upkeep import Wanted, forecast, maintain
from crawler.lake.verify import verify
from crawler.lake.writer import LakeWriter
from crawler.model import Level
from tests.integration.test_lake_crash import run_victims
from tests.integration.test_lake_restore import flip
from tests.property.lake.answers import answers, covered, studies, sweep

ROOT = Path(__file__).parents[2]
DAYS = 9
TABLES = ("studies", "series", "windows", "sweeps", "rejects")
AT_ONCE = Wanted(keep_files=timedelta(0), whole=True)


def day(number: int) -> datetime:
    return datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(days=number)


def write(lake: Path, first: int = 0, last: int = DAYS) -> None:
    """A commit a day: a new study with a series, a changed one, one without key; one that vanishes and comes back."""
    today = [first]
    with LakeWriter.open(lake, now=lambda: day(today[0])) as writer:
        for number in range(first, last):
            today[0] = number
            rows = [(f"1.{number}", "new"), ("1.9999", f"look {number}"), (None, "no key")]
            writer.stage(Level.STUDY, "main", "s1", studies(rows))
            if number % 3:
                writer.stage(Level.STUDY, "main", "s1", studies([("1.8888", "here")]))
            else:
                writer.remove(Level.STUDY, "main", "s1", ["1.8888", "1.7777"])
            series = [{"StudyInstanceUID": f"1.{number}", "SeriesInstanceUID": f"1.{number}.1"}]
            writer.stage(Level.SERIES, "main", "s1", answers(Level.SERIES, series))
            writer.commit([covered(3, day=date(2026, 1, 1) + timedelta(days=number))], [sweep()])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    write(folder)
    return folder


@pytest.fixture
def lake(written: Path, tmp_path: Path) -> Path:
    shutil.copytree(written, tmp_path / "lake")
    return tmp_path / "lake"


def told(lake: Lake, *more: str) -> list[list[tuple[Any, ...]]]:
    """Everything that the tables say."""
    return [lake.sql(f"FROM {table} ORDER BY ALL").fetchall() for table in (*TABLES, *more)]


def test_of_a_damaged_file_nothing_is_made(written: Path, tmp_path: Path) -> None:
    """Many flipped bits leave a file readable: rewritten, the wrong value would have a right digest."""
    chance = random.Random(7)
    for draw in range(12):
        lake = tmp_path / str(draw)
        shutil.copytree(written, lake)
        path = chance.choice(sorted((lake / "log").glob(f"entity={chance.choice(['study', 'series'])}/*.parquet")))
        content = path.read_bytes()
        flip(path)
        refused = pytest.raises(LakeError, match=f"{path.name} is missing or not what was written")
        with LakeWriter.open(lake) as writer, refused:
            maintain(writer, AT_ONCE)
        assert damaged(lake) == [str(path.relative_to(lake))]
        path.write_bytes(content)
        with LakeWriter.open(lake) as writer:
            assert maintain(writer, AT_ONCE).rewritten
        assert not damaged(lake)


def damaged(lake: Path) -> list[str]:
    return [flaw.path for flaw in verify(lake).flaws if flaw.harm is Harm.DATA]


def everything(path: Path) -> list[list[tuple[Any, ...]]]:
    with open_lake(path) as lake:
        return told(lake, "studies_history", "series_history")


def on_disk(lake: Path) -> set[str]:
    return {str(file.relative_to(lake / "log")) for file in (lake / "log").glob("entity=*/*")}


def test_upkeep_changes_nothing_that_can_be_asked_for(lake: Path, tmp_path: Path) -> None:
    before = everything(lake)
    with LakeWriter.open(lake) as writer:
        done = maintain(writer, Wanted())
        assert {one.entity: (one.files, one.into) for one in done.rewritten} == {
            "study": (DAYS, 2), "series": (DAYS, 1), "window": (DAYS, 1), "sweep": (DAYS, 1), "reject": (DAYS, 1)
        }  # fmt: skip
        assert done.deleted.files == 0
        assert maintain(writer, Wanted()).rewritten == []
    assert everything(lake) == before
    write(lake, DAYS, DAYS + 3)
    copy = tmp_path / "copy"
    shutil.copytree(lake, copy)
    with LakeWriter.open(copy) as writer:
        assert [one.into for one in maintain(writer, AT_ONCE).rewritten] == [2, 1, 1, 1, 1]
    assert everything(lake) == everything(copy)
    with open_lake(copy) as opened:
        assert on_disk(copy) == {file.path for file in opened.files()}
    log = DeltaTable(copy / "log").to_pyarrow_table(columns=["entity", "row_id", "supersedes", "change"])
    replaced = set(log["supersedes"].to_pylist())
    rows = [row for row in log.to_pylist() if row["entity"] == "study" and row["row_id"] not in replaced]
    assert sum(row["change"] != "remove" for row in rows) == len(everything(lake)[0])


def test_who_began_to_read_before_goes_on_reading(lake: Path) -> None:
    with open_lake(lake) as reader:
        before = told(reader)
        with LakeWriter.open(lake) as writer:
            maintain(writer, Wanted(whole=True))
            assert told(reader) == before
            assert forecast(writer.log, writer.connection, Wanted()).deleted.files == 0
            removing = commit_file(lake / "log", DAYS + 1)
            assert '"remove"' in removing.read_text()
            assert forecast(writer.log, writer.connection, Wanted(keep_files=timedelta(0))).deleted.files == 5 * DAYS
        assert reader.refresh() > DAYS
        assert told(reader) == before


def test_what_is_dropped_from_the_history_is_refused_and_the_rest_is_whole(lake: Path) -> None:
    cut = day(6).replace(tzinfo=None)
    with open_lake(lake) as opened:
        now = told(opened)
        with opened.as_of(day(6)) as past:
            then = told(past)
        later = [one for one in changes(opened, Span(day(6))) if one.at > cut]
    with LakeWriter.open(lake) as writer:
        wanted = Wanted(history_from=cut, keep_files=timedelta(0))
        assert forecast(writer.log, writer.connection, wanted).rewritten[0].dropped == 7
        assert maintain(writer, wanted).rewritten[0].dropped == 7
        assert maintain(writer, wanted).rewritten == []
    with open_lake(lake) as opened:
        assert told(opened) == now
        assert opened.history_from == cut
        with opened.as_of(day(6)) as past:
            assert told(past) == then
        assert [one for one in changes(opened, Span(day(6))) if one.at > cut] == later
        with pytest.raises(UserError, match="whole since 2026-01-07 12:00:00 UTC only"):
            opened.as_of(day(5))
        with pytest.raises(UserError, match="whole since"):
            changes(opened, Span("2026-01-01"))
    write(lake, DAYS, DAYS + 1)


def test_commits_that_a_checkpoint_sums_up_go_and_the_lake_opens_as_before(lake: Path) -> None:
    before = everything(lake)
    for _ in range(2):
        with LakeWriter.open(lake) as writer:
            for number in range(12):
                writer.commit(sweeps=[sweep(f"more {number}")])
            maintain(writer, AT_ONCE)
    assert not commit_file(lake / "log", 0).exists()
    with LakeWriter.open(lake) as writer:
        writer.stage(Level.STUDY, "main", "s1", studies([("1.1", "new")]))
        writer.commit()
    assert everything(lake)[0] == before[0]


def test_a_killed_upkeep_leaves_what_was_there_and_can_be_done_again(lake: Path, tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    folder.mkdir()
    with open_lake(lake) as opened:
        before = told(opened)

    def prepared(point: str) -> str:
        shutil.copytree(lake, folder / point)
        return point

    operations = int(run_victims(folder, [prepared("all")], "tests.integration.upkeep_victim"))
    points = [prepared(f"e{1 + operations * step // 12}") for step in range(12)]
    run_victims(folder, points, "tests.integration.upkeep_victim")
    halfway = 0
    for point in points:
        with open_lake(folder / point) as opened:
            assert told(opened) == before
        with LakeWriter.open(folder / point) as writer:
            assert writer.stage(Level.STUDY, "main", "s2", studies([("1.0", "new"), ("1.9999", "later")])).updated == 1
            writer.rollback()
            halfway += bool(maintain(writer, AT_ONCE).rewritten)
        with open_lake(folder / point) as opened:
            assert told(opened) == before
            assert on_disk(folder / point) == {file.path for file in opened.files()}
    assert halfway


def test_long_runs_of_keys_wait_for_upkeep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a commit to a large lake, or opening it after a kill, takes as long as all of its keys."""
    monkeypatch.setattr(keys, "MERGED_AT_ONCE", 8)
    uids = [f"1.{number}" for number in range(40)]
    with LakeWriter.open(tmp_path / "lake") as writer:
        for at in range(0, 40, 4):
            writer.stage(Level.STUDY, "main", "s1", studies([(uid, "new") for uid in uids[at : at + 4]]))
            writer.commit()
        assert lengths(tmp_path) == [8] * 5
        maintain(writer, Wanted())
    assert lengths(tmp_path) == [32, 8]
    with LakeWriter.open(tmp_path / "lake") as writer:
        assert writer.stage(Level.STUDY, "main", "s2", studies([(uid, "new") for uid in uids])).unchanged == 40
    assert not verify(tmp_path / "lake").flaws


def lengths(folder: Path) -> list[int]:
    """Give how many keys each run of studies has, the oldest first."""
    return [run["length"] for run in keys.read_manifest(folder / "lake" / "keys")["runs"]["study"]]


def test_the_command(lake: Path, tmp_path: Path) -> None:
    (tmp_path / "pacslake.toml").write_text(
        '[lake]\npath = "lake"\n[pacs.main]\nhost = "127.0.0.1"\nport = 104\nae_title = "MAIN"\n'
    )

    def maintained(*words: str) -> dict[str, Any]:
        command = [
            sys.executable,
            "-m",
            "jobs.cli",
            "maintain",
            "--format",
            "json",
            "--config",
            "pacslake.toml",
            *words,
        ]
        done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, check=True)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    assert maintained("--dry-run")["rewritten"][0] == {
        "entity": "study", "files": DAYS, "rows": 23, "into": 0, "dropped": 0
    }  # fmt: skip
    assert maintained()["rewritten"][0]["into"] == 2
    assert maintained("--keep-files", "0")["deleted"]["files"] == 5 * DAYS
    assert maintained() == {"dry_run": False, "rewritten": [], "deleted": {"files": 0, "size": 0}}
