"""Damage that a power cut or a careless hand leaves, and what opening the lake for writing makes of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from crawler.errors import CommitConflictError, LakeError, NoLakeError
from crawler.lake.commits import commit_file, newest_version
from crawler.lake.mapped import MappedRun, merge_files, write_run
from crawler.lake.query import open_lake
from crawler.lake.resume import complete_windows
from crawler.lake.runs import HIGH, empty_run
from crawler.lake.status import status_of
from crawler.lake.verify import verify
from crawler.lake.writer import LakeWriter
from crawler.model import Level
from tests.faults.small import small
from tests.integration.test_lake_restore import flip
from tests.property.lake.answers import covered, studies


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A lake of three days, a commit each."""
    with LakeWriter.open(tmp_path) as writer:
        for number in range(1, 4):
            writer.stage(Level.STUDY, "main", "s1", studies([(f"1.{number}", "CT"), ("1.9", f"look {number}")]))
            writer.commit([covered(2, day=date(2024, 1, number))])
    return tmp_path


def last_data_file(lake: Path) -> Path:
    lines = commit_file(lake / "log", 3).read_text().splitlines()
    added: list[str] = [json.loads(line)["add"]["path"] for line in lines if '"add"' in line]
    return lake / "log" / next(path for path in added if "entity=study" in path)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def tear(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("damage", [empty, tear, Path.unlink])
@pytest.mark.parametrize("victim", [lambda lake: commit_file(lake / "log", 3), last_data_file])
def test_a_bad_last_commit_is_set_aside_and_asked_for_again(
    lake: Path, victim: Callable[[Path], Path], damage: Callable[[Path], None]
) -> None:
    damage(victim(lake))
    with LakeWriter.open(lake) as writer:
        assert newest_version(lake / "log") == 2
        assert [item.window.date_from for item in complete_windows(lake, "main", "s1")] == [
            date(2024, 1, 1),
            date(2024, 1, 2),
        ]
        with open_lake(lake) as opened:
            assert opened.sql("SELECT StudyDescription FROM studies WHERE StudyInstanceUID = '1.9'").fetchall() == [
                ("look 2",)
            ]
        staged = writer.stage(Level.STUDY, "main", "s1", studies([("1.3", "CT"), ("1.9", "look 3")]))
        assert (staged.inserted, staged.updated) == (1, 1)
        writer.commit([covered(2, day=date(2024, 1, 3))])
    with open_lake(lake) as opened:
        assert opened.sql("SELECT count(*) FROM studies").fetchall() == [(4,)]
        assert opened.sql("SELECT count(*) FROM windows").fetchall() == [(3,)]
    assert (lake / "quarantine").is_dir() or damage is Path.unlink


def test_a_bad_commit_below_good_ones_is_not_touched(lake: Path) -> None:
    tear(commit_file(lake / "log", 2))
    with pytest.raises(LakeError, match=r"Commit 2 of .* Type: pacslake repair"):
        LakeWriter.open(lake)
    assert newest_version(lake / "log") == 3


def test_a_torn_checkpoint_is_set_aside(lake: Path) -> None:
    from deltalake import DeltaTable

    DeltaTable(lake / "log").create_checkpoint()
    tear(next((lake / "log" / "_delta_log").glob("*.checkpoint*.parquet")))
    with LakeWriter.open(lake) as writer:
        assert writer.version == 3
    with open_lake(lake) as opened:
        assert opened.sql("SELECT count(*) FROM studies").fetchall() == [(4,)]
    assert not (lake / "log" / "_delta_log" / "_last_checkpoint").exists()


def delete_keys(keys: Path) -> None:
    shutil.rmtree(keys)


def tear_a_run(keys: Path) -> None:
    tear(next(keys.glob("*.keys")))


def tear_the_manifest(keys: Path) -> None:
    tear(keys / "manifest.json")


def forget_the_version(keys: Path) -> None:
    manifest = json.loads((keys / "manifest.json").read_bytes().splitlines()[0])
    manifest["made_with"]["duckdb"] = "0.0"
    (keys / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("damage", [delete_keys, tear_a_run, tear_the_manifest, forget_the_version])
def test_the_key_index_is_made_again(lake: Path, damage: Callable[[Path], None]) -> None:
    before = status_of(lake)
    damage(lake / "keys")
    with LakeWriter.open(lake) as writer:
        staged = writer.stage(Level.STUDY, "main", "s2", studies([("1.1", "CT"), ("1.9", "look 3"), ("1.4", "new")]))
        assert (staged.inserted, staged.updated, staged.unchanged) == (1, 0, 2)
        writer.commit()
    with open_lake(lake) as opened:
        assert opened.sql("SELECT count(*), count(DISTINCT row_id) FROM studies_history").fetchall() == [(7, 7)]
    assert status_of(lake).version == before.version + 1


def test_a_full_disk_is_an_error_and_no_signal_where_runs_of_keys_are_merged(tmp_path: Path) -> None:
    with small(tmp_path / "disk", "size=1m") as mounted:
        runs = []
        for number in range(2 if mounted else 0):  # where nothing may be mounted there is no end of room
            run = empty_run(10_000)
            run[HIGH] = np.arange(10_000) * 2 + number
            path = tmp_path / "disk" / str(number)
            runs.append(MappedRun(path, write_run(path, run)))
        if runs:
            with pytest.raises(OSError, match="No space left on device"):
                merge_files(tmp_path / "disk" / "merged", *runs)
        runs.clear()


def test_an_index_that_lags_reads_the_missing_commits(lake: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    older = tmp_path_factory.mktemp("older") / "keys"
    shutil.copytree(lake / "keys", older)
    with LakeWriter.open(lake) as writer:
        writer.stage(Level.STUDY, "main", "s2", studies([("1.9", "look 4"), ("1.5", "late")]))
        writer.commit()
    shutil.rmtree(lake / "keys")
    shutil.copytree(older, lake / "keys")
    with LakeWriter.open(lake) as writer:
        staged = writer.stage(Level.STUDY, "main", "s3", studies([("1.9", "look 4"), ("1.5", "late"), ("1.1", "CT")]))
        assert staged.unchanged == 3


def test_a_second_writer_past_the_lock_is_fenced_off(lake: Path, tmp_path: Path) -> None:
    with LakeWriter.open(lake) as writer:
        (lake / "lock").unlink()
        with LakeWriter.open(lake) as intruder:
            writer.stage(Level.STUDY, "main", "s1", studies([("1.7", "ours")]))
            intruder.stage(Level.STUDY, "main", "s1", studies([("1.8", "theirs")]))
            intruder.commit()
        with pytest.raises(CommitConflictError):
            writer.commit()
        with pytest.raises(LakeError, match="close this writer"):
            writer.commit()
    with open_lake(lake) as opened:
        found = opened.sql("SELECT StudyInstanceUID FROM studies WHERE StudyInstanceUID IN ('1.7', '1.8')").fetchall()
        on_disk = {str(file.relative_to(lake / "log")) for file in (lake / "log").glob("entity=*/*")}
        assert on_disk == {file.path for file in opened.files()}
    assert found == [("1.8",)]


def test_a_failure_after_the_commit_costs_nothing(lake: Path) -> None:
    with LakeWriter.open(lake) as writer:
        writer.stage(Level.STUDY, "main", "s1", studies([("1.7", "CT")]))
        shutil.rmtree(lake / "keys")
        (lake / "keys").write_text("no folder: the key index cannot be written")
        with pytest.raises(LakeError, match="could not be written"):
            writer.commit([covered(1, day=date(2024, 1, 4))])
    (lake / "keys").unlink()
    with LakeWriter.open(lake) as writer:
        assert writer.stage(Level.STUDY, "main", "s1", studies([("1.7", "CT")])).unchanged == 1
    with open_lake(lake) as opened:
        assert opened.sql("SELECT count(*) FROM windows").fetchall() == [(4,)]


def test_there_is_no_lake(tmp_path: Path) -> None:
    with pytest.raises(NoLakeError):
        open_lake(tmp_path / "nothing")
    with pytest.raises(NoLakeError):
        status_of(tmp_path / "nothing")
    with pytest.raises(NoLakeError):
        LakeWriter.open(tmp_path / "nothing", create=False)
    assert not (tmp_path / "nothing").exists()


def test_views_that_are_gone_are_no_lake_that_is_none(lake: Path) -> None:
    (lake / "lake.duckdb").unlink()
    with pytest.raises(LakeError, match=r"lake\.duckdb is missing\. The next sweep writes it anew"):
        status_of(lake)
    LakeWriter.open(lake).close()
    assert status_of(lake).pacs


@pytest.mark.parametrize("damaged", ["lake.duckdb", "keys/catalog"])
def test_views_are_made_anew_where_they_are_not_what_was_made(lake: Path, damaged: str) -> None:
    LakeWriter.open(lake).close()
    made = (lake / "lake.duckdb").stat().st_ino
    LakeWriter.open(lake).close()
    assert (lake / "lake.duckdb").stat().st_ino == made
    flip(lake / damaged)
    assert "lake.duckdb" in {flaw.path for flaw in verify(lake).flaws}
    LakeWriter.open(lake).close()
    assert (lake / "lake.duckdb").stat().st_ino != made
    assert "lake.duckdb" not in {flaw.path for flaw in verify(lake).flaws}
