"""A lake in a bucket, worked on by several machines: folders here, each with settings and a working copy of its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable

import crawler
from crawler.errors import LakeError, NoLakeError, UserError
from crawler.lake.flaws import Harm
from crawler.lake.log import open_table, read_files
from crawler.lake.query import open_lake
from crawler.lake.remote import attach
from crawler.lake.restore import repair
from crawler.lake.upkeep import Wanted, maintain
from crawler.lake.verify import verify
from crawler.lake.writer import LakeWriter
from crawler.model import Level
from crawler.place import Place
from crawler.testing.archive import Archive
from crawler.testing.simulator import Simulator, running
from tests.acceptance.installed import ENVIRONMENT, SECRET, pacslake
from tests.acceptance.sweeping import section
from tests.integration.object_store import Bucket, serving, settings_for
from tests.integration.test_lake_restore import flip
from tests.property.lake.answers import studies

ARCHIVE = Archive(8, date(2024, 1, 1), date(2024, 1, 31), seed=3, series_per_study=1)


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    with serving() as serves:
        yield serves


@pytest.fixture
def machines(tmp_path: Path, bucket: Bucket) -> list[Path]:
    """Give two working copies of one lake, which is not there yet."""
    copies = [tmp_path / "first", tmp_path / "second"]
    for copy in copies:
        attach(copy, Place(bucket.url(tmp_path.name), bucket.endpoint, "us-east-1"))
    return copies


def add(copy: Path, *uids: str) -> None:
    with LakeWriter.open(copy) as writer:
        stage(writer, *uids)
        writer.commit()


def stage(writer: LakeWriter, *uids: str) -> None:
    writer.stage(Level.STUDY, "main", "s1", studies((uid, "one") for uid in uids))


def uids(copy: Path) -> list[str]:
    with open_lake(copy) as lake:
        return [uid for (uid,) in lake.sql("SELECT StudyInstanceUID FROM studies ORDER BY 1").fetchall()]


def run(folder: Path, *arguments: str) -> str:
    done = pacslake(folder, *arguments)
    said = done.stdout.decode() + done.stderr.decode()
    assert done.returncode == 0, said
    assert SECRET not in said
    return said


def test_two_machines_share_a_lake_by_its_bucket_alone(tmp_path: Path, bucket: Bucket) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    with running(Simulator(ARCHIVE)) as pacs:
        settings_for(here, bucket, "shared", section("main", port=pacs.port))
        run(here, "sweep", "--from", "2024-01-01", "--to", "2024-01-31")
    settings_for(there, bucket, "shared")
    count = "select count(*) as n from studies"
    assert run(there, "sql", count, "--format", "csv") == "n\n8\n"
    run(there, "cohort", "new", "all", "--sql", "select SeriesInstanceUID from series")
    run(here, "maintain", "--whole", "--keep-files", "0")
    assert verify(there / "copy").flaws == []
    with crawler.open_lake(bucket.url("shared"), config=there / "pacslake.toml") as lake:
        assert lake.sql(count).fetchall() == [(8,)]
        assert lake.sql("select cohort from cohorts").fetchall() == [("all",)]
    options = {name: ENVIRONMENT[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    options |= {"AWS_ENDPOINT_URL": bucket.endpoint, "AWS_REGION": "us-east-1", "AWS_ALLOW_HTTP": "true"}
    log = DeltaTable(f"{bucket.url('shared')}/log", storage_options=options)
    assert log.version() == open_table(there / "copy").version()
    left = {name for name in bucket.names("shared") if "/entity=" in name}
    assert left == {f"log/{one.path}" for one in read_files(log)}, "replaced files are deleted there too"


def test_a_copy_that_is_far_behind_begins_at_a_checkpoint(machines: list[Path], bucket: Bucket, tmp_path: Path) -> None:
    first, second = machines
    add(first, "1.0")
    before = open_lake(second)
    with LakeWriter.open(first) as writer:
        for more in (2, 11):
            for _ in range(more):
                writer.log.fence()
            writer.log.checkpoint()
        stage(writer, "1.1")
        writer.commit()
        maintain(writer, Wanted(keep_files=timedelta(0)))
    assert f"log/_delta_log/{2:020d}.json" not in bucket.names(tmp_path.name), "which the second copy would want next"
    with before:
        assert before.refresh() == open_table(second).version()
        assert before.sql("SELECT count(*) FROM studies").fetchall() == [(2,)]
    assert verify(second).flaws == []
    add(second, "1.5")
    assert uids(first) == ["1.0", "1.1", "1.5"]


def test_repair_brings_what_is_broken_from_the_store_and_what_that_lacks_to_it(
    machines: list[Path], bucket: Bucket, tmp_path: Path
) -> None:
    first, second = machines
    add(first, "1.1")
    add(first, "1.2")
    broken, lost = sorted((first / "log").glob("entity=study/*"))
    flip(broken)
    bucket.remove(f"{tmp_path.name}/{lost.relative_to(first)}")
    with pytest.raises(LakeError, match="has no log/entity=study/"):
        uids(second)
    found = {flaw.path: flaw.harm for flaw in verify(first).flaws}
    assert found == {f"{broken.relative_to(first)}": Harm.DATA, f"{lost.relative_to(first)}": Harm.STORE}
    flip(next((first / "log" / "_delta_log").glob("*01.json")))
    assert repair(first).doubts == []
    assert verify(first).flaws == []
    assert uids(first) == uids(second) == ["1.1", "1.2"]


def test_a_bucket_that_has_another_lake_is_not_mixed_with_the_copy(
    machines: list[Path], bucket: Bucket, tmp_path: Path
) -> None:
    first, second = machines
    add(first, "1.1")
    for name in bucket.names(tmp_path.name):
        bucket.remove(f"{tmp_path.name}/{name}")
    with pytest.raises(LakeError, match="is not the lake that"):
        uids(first)
    with pytest.raises(NoLakeError, match="There is no lake at s3://"):
        uids(second)
    add(second, "1.2")
    with pytest.raises(LakeError, match="is not the lake that"):
        LakeWriter.open(first)


def test_a_folder_is_the_copy_of_one_lake(machines: list[Path], bucket: Bucket, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is the working copy of s3://"):
        attach(machines[0], Place(bucket.url("another")))
    marker = machines[0] / "remote" / "where.json"
    before = marker.read_bytes()
    marker.write_bytes(before[:-9])
    with pytest.raises(LakeError, match="remove it, the settings make it anew"):
        attach(machines[0], Place(bucket.url(tmp_path.name)))
    marker.unlink()
    attach(machines[0], Place(bucket.url(tmp_path.name)))
    with LakeWriter.open(tmp_path / "lake"):
        pass
    with pytest.raises(UserError, match="is a lake of its own"):
        attach(tmp_path / "lake", Place(bucket.url("another")))


def test_rows_that_another_machine_gave_up_are_taken_in_again(
    machines: list[Path], bucket: Bucket, tmp_path: Path
) -> None:
    first, second = machines
    add(first, "1.1")
    add(second, "1.2")
    assert uids(first) == ["1.1", "1.2"]
    lost = min((first / "log").glob("entity=study/*"))
    flip(lost)
    bucket.remove(f"{tmp_path.name}/{lost.relative_to(first)}")
    repair(first)
    assert uids(second) == ["1.2"]
    add(second, "1.1", "1.2")
    assert uids(first) == ["1.1", "1.2"]
