"""Lakes with broken files: verify finds them, repair opens the lake again, and nothing is lost in silence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crawler.errors import NewerLakeError
from crawler.lake import coherence
from crawler.lake.catalog import ledgers
from crawler.lake.coherence import incoherent
from crawler.lake.commits import commit_file
from crawler.lake.flaws import Harm
from crawler.lake.format import FORMAT, FORMAT_KEY
from crawler.lake.parts import OpenPart, part_of
from crawler.lake.query import open_lake
from crawler.lake.restore import plan, repair
from crawler.lake.upkeep import Wanted, maintain
from crawler.lake.verify import verify
from crawler.lake.writer import LakeWriter
from crawler.model import Level, WindowState
from tests.acceptance.installed import pacslake
from tests.property.lake.answers import answers, covered, sweep

DAYS = [date(2026, 1, number) for number in range(1, 7)]
STUDIES = 3
ROOT = Path(__file__).parents[2]


def sweep_days(writer: LakeWriter, days: list[date]) -> None:
    for day in days:
        rows = [{"StudyInstanceUID": f"1.{day:%m%d}.{at}", "StudyDate": day} for at in range(STUDIES)]
        writer.stage(Level.STUDY, "main", "s1", answers(Level.STUDY, rows))
        writer.commit([covered(STUDIES, day=day)], [sweep()])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    with LakeWriter.open(folder, now=lambda: datetime(2024, 5, 1)) as writer:
        sweep_days(writer, DAYS)
    return folder


@pytest.fixture
def lake(written: Path, tmp_path: Path) -> Path:
    shutil.copytree(written, tmp_path / "lake")
    (tmp_path / "pacslake.toml").write_text(
        '[lake]\npath = "lake"\n[pacs.main]\nhost = "127.0.0.1"\nport = 1\nae_title = "MAIN"\nlevels = ["study"]\n'
    )
    return tmp_path / "lake"


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def tear(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def data_file(lake: Path, entity: str, version: int) -> Path:
    [path] = (lake / "log" / f"entity={entity}").glob(f"v{version:012d}-*")
    return path


def everything(lake: Path) -> list[list[tuple[Any, ...]]]:
    with open_lake(lake) as opened:
        return [opened.sql(f"FROM {table} ORDER BY ALL").fetchall() for table in ("studies", "windows", "sweeps")]


def proven(lake: Path) -> set[date]:
    """The days whose newest answer is complete."""
    newest: dict[date, WindowState] = {}
    for row in sorted(ledgers(lake)["main"].rows, key=lambda row: row.asked_at):
        first, last = row.window.date_from, row.window.date_to
        assert first is not None
        assert last is not None
        newest.update({first + timedelta(days=at): row.state for at in range((last - first).days + 1)})
    return {day for day, state in newest.items() if state is WindowState.COMPLETE}


@pytest.mark.parametrize("damage", [flip, tear, Path.unlink])
def test_lost_rows_are_asked_for_again(lake: Path, damage: Callable[[Path], None]) -> None:
    damage(data_file(lake, "study", 3))
    assert [flaw.harm for flaw in verify(lake).flaws if flaw.harm is not Harm.CACHE] == [Harm.DATA]
    before = sorted(path for path in lake.rglob("*"))
    planned = plan(lake).doubts
    assert sorted(path for path in lake.rglob("*")) == before
    done = repair(lake)
    assert [one.window for one in done.doubts] == [one.window for one in planned]
    assert [(one.window.date_from, one.window.date_to) for one in done.doubts] == [(DAYS[2], DAYS[2])]
    assert not verify(lake).flaws
    assert proven(lake) == {*DAYS} - {DAYS[2]}
    with LakeWriter.open(lake) as writer:
        sweep_days(writer, [DAYS[2]])
    with open_lake(lake) as opened:
        assert opened.sql("SELECT count(*), count(DISTINCT StudyInstanceUID) FROM studies").fetchall() == [(18, 18)]
    assert (lake / "quarantine").is_dir() or damage is Path.unlink


def test_versions_lost_in_the_middle_leave_one_current_row_of_each_key(lake: Path) -> None:
    with LakeWriter.open(lake) as writer:
        for number, day in enumerate(DAYS[:3]):
            changed = [{"StudyInstanceUID": "1.9", "StudyDate": DAYS[0], "StudyID": str(number)}]
            writer.stage(Level.STUDY, "main", "s2", answers(Level.STUDY, changed))
            if day == DAYS[1]:
                middle = writer.version + 1
                writer.remove(Level.STUDY, "main", "s2", [f"1.{DAYS[3]:%m%d}.0"])
            writer.commit()
    flip(data_file(lake, "study", middle))
    repair(lake)
    assert not verify(lake).flaws
    with open_lake(lake) as opened:
        rows = opened.sql("SELECT StudyInstanceUID, StudyID FROM studies WHERE StudyInstanceUID = '1.9'").fetchall()
        assert rows == [("1.9", "2")]
        assert opened.sql("SELECT count(*) FROM studies").fetchall() == [(1 + len(DAYS) * STUDIES,)]


def test_rows_lost_with_a_compacted_file_are_asked_for_again(lake: Path) -> None:
    with LakeWriter.open(lake) as writer:
        maintain(writer, Wanted(keep_files=timedelta(0)))
    flip(next(path for path in (lake / "log").glob("entity=study/*-now.parquet")))
    assert [(one.window.date_from, one.window.date_to) for one in repair(lake).doubts] == [(DAYS[0], DAYS[-1])]
    assert not verify(lake).flaws
    assert proven(lake) == set()


def test_a_lost_file_of_the_ledger_puts_the_whole_pacs_in_doubt(lake: Path) -> None:
    flip(data_file(lake, "window", 3))
    doubts = repair(lake).doubts
    assert [(one.window.date_from, one.window.date_to) for one in doubts] == [
        (DAYS[0], DAYS[1]),
        (DAYS[3], DAYS[5]),
    ]
    assert not verify(lake).flaws
    assert proven(lake) == set()


@pytest.mark.parametrize("damage", [flip, tear, Path.unlink])
@pytest.mark.parametrize("version", [0, 2, 6])
def test_a_broken_commit_says_again_what_it_said(lake: Path, damage: Callable[[Path], None], version: int) -> None:
    if version == 6 and damage is Path.unlink:
        return  # nobody can know that there was one
    before = everything(lake)
    damage(commit_file(lake / "log", version))
    assert verify(lake).flaws
    assert not repair(lake).doubts
    assert not verify(lake).flaws
    assert everything(lake) == before


def test_a_broken_commit_of_upkeep_replaces_again_what_it_replaced(lake: Path) -> None:
    before = everything(lake)
    with LakeWriter.open(lake) as writer:
        maintain(writer, Wanted())
        sweep_days(writer, [date(2026, 2, 1)])
        after = writer.version
    for checkpoint in (lake / "log" / "_delta_log").glob("*checkpoint*"):
        checkpoint.unlink()
    for version in range(7, after):
        tear(commit_file(lake / "log", version))
    repair(lake)
    assert not verify(lake).flaws
    assert everything(lake)[0][: len(before[0])] == before[0]


@pytest.mark.parametrize("pattern", ["*.checkpoint.parquet", "_last_checkpoint", "*.checkpoint.sha256"])
def test_a_broken_checkpoint_is_set_aside(lake: Path, pattern: str) -> None:
    with LakeWriter.open(lake) as writer:
        writer.log.checkpoint()
    before = everything(lake)
    flip(next((lake / "log" / "_delta_log").glob(pattern)))
    repair(lake)
    assert not verify(lake).flaws
    assert everything(lake) == before


def test_rows_that_contradict_each_other_are_found(lake: Path) -> None:
    """Current rows in a file of past ones: nothing but upkeep gone wrong could put them there."""
    path = data_file(lake, "study", 3)
    past = path.with_name(path.name.replace(".parquet", "-past.parquet"))
    with LakeWriter.open(lake) as writer:
        file = next(file for file in writer.log.files if file.path.endswith(path.name))
        shutil.copy(path, past)
        writer.replace([part_of(lake / "log", past)], [file], same_rows=True)
    assert [(flaw.harm, flaw.path) for flaw in verify(lake).flaws] == [(Harm.ROWS, "studies")]
    repair(lake)
    assert not verify(lake).flaws


def test_slice_by_slice_as_much_is_found_as_at_once(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that break every rule, of a lake that is looked at in slices."""
    with LakeWriter.open(lake) as writer:
        copied = pq.read_table(data_file(lake, "study", 3), partitioning=None)
        place = copied.schema.get_field_index("supersedes")
        lost, taken = (pa.array([number] * copied.num_rows) for number in (99_999, 1))
        part = OpenPart(writer.log.folder, "study", writer.version + 1)
        for rows in (copied, *(copied.set_column(place, "supersedes", values) for values in (lost, taken))):
            part.append(rows)
        writer.replace([part.finish()], [], same_rows=False)
        writer.commit([covered(STUDIES + 1, day=DAYS[0])], [sweep()])
    with open_lake(lake) as opened:
        at_once = list(incoherent(opened))
        monkeypatch.setattr(coherence, "SLICE", 4)
        assert list(incoherent(opened)) == at_once
    assert len(at_once) == 8, "every rule"


def test_the_commands(lake: Path) -> None:
    folder = lake.parent
    flip(data_file(lake, "study", 3))
    wrong = pacslake(folder, "verify", "--format", "json")
    assert (wrong.returncode, json.loads(wrong.stdout)["whole"]) == (1, False)
    planned = pacslake(folder, "repair")
    assert planned.returncode == 1
    assert b"    pacslake backfill main --from 2026-01-03 --to 2026-01-03 --level study\n" in planned.stdout
    assert pacslake(folder, "repair", "--yes").returncode == 3
    assert pacslake(folder, "verify").returncode == 0
    assert pacslake(folder, "repair").stdout == b"Nothing is broken.\n"
    shown = pacslake(folder, "coverage", "--format", "json")
    assert shown.returncode == 3
    assert b"2026-01-03" in shown.stdout


def test_a_lake_of_a_later_release_is_refused(lake: Path) -> None:
    with LakeWriter.open(lake) as writer:
        writer.log.commit([], properties={FORMAT_KEY: str(FORMAT + 1)})
    for open_it in (open_lake, LakeWriter.open, verify, repair):
        with pytest.raises(NewerLakeError, match=f"has format {FORMAT + 1}, and this pacslake knows format {FORMAT}"):
            open_it(lake)
    done = pacslake(lake.parent, "sql", "select 1")
    assert (done.returncode, done.stdout) == (14, b"")
    assert b"install the release that wrote it" in done.stderr


@pytest.mark.parametrize("release", ["before_profiles", "before_checksums"])
def test_a_lake_of_an_earlier_release_opens_and_is_whole(tmp_path: Path, release: str) -> None:
    shutil.copytree(ROOT / "tests" / "lakes" / release, tmp_path / "lake")
    lake = tmp_path / "lake"
    before = everything(lake)
    with LakeWriter.open(lake) as writer:
        found = verify(lake)
        assert (found.flaws, len(found.notes)) == ([], 1)
        assert everything(lake) == before
        maintain(writer, Wanted(whole=True))
    assert everything(lake) == before
    flip(next((lake / "log").glob("entity=study/*-now.parquet")))
    assert [flaw.harm for flaw in verify(lake).flaws] == [Harm.DATA]
