"""Damaged files of a lake are found."""

from __future__ import annotations

import json
import random
import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from crawler.errors import UserError
from crawler.lake.catalog import open_catalog
from crawler.lake.commits import commit_file, newest_version
from crawler.lake.format import FORMAT, FORMAT_KEY
from crawler.lake.query import open_lake
from crawler.lake.restore import plan
from crawler.lake.seal import sealed
from crawler.lake.upkeep import Wanted, maintain
from crawler.lake.verify import verify
from crawler.lake.writer import LakeWriter
from crawler.model import Level
from jobs.cli import main
from jobs.exits import Exit
from tests.acceptance.sweeping import configure
from tests.faults.foreign import HARMLESS, MISREAD, NO_UTF8, changed, plant
from tests.property.lake.answers import answers, covered, studies, sweep

if TYPE_CHECKING:
    from tests.faults.queued import Queued

NOT_JUDGED = {"lock"}
"""It holds the name of the last owner."""
NOT_MISSED = {*NOT_JUDGED, "_last_checkpoint", f"{0:020d}.json"}
"""The lake is as good without: a checkpoint sums up the first commit, and upkeep deletes such commits one day."""
PAGE = 4096
NEWER = (
    *(
        ["sweep"],
        ["sql", "from studies"],
        ["export", "studies", "--output", "-", "--format", "csv"],
        ["status"],
        ["coverage"],
    ),
    *(
        ["maintain"],
        ["verify"],
        ["repair"],
        ["cohort", "new", "some", "--sql", "from series"],
        ["changes", "--since", "2024-01-01"],
    ),
)
"""Commands that read or write a lake."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with every kind of file: large and small ones, replaced ones, checkpoints, a key index of several runs."""
    lake = tmp_path_factory.mktemp("written") / "lake"
    with LakeWriter.open(lake) as writer:
        for number in range(1, 7):
            day = date(2026, 1, number)
            rows = [{"StudyInstanceUID": f"1.{number}.{at}", "StudyDate": day} for at in range(3)]
            writer.stage(Level.STUDY, "main", "s1", answers(Level.STUDY, rows))
            writer.stage(Level.STUDY, "main", "s1", studies([("1.9", f"look {number}"), (None, "no key")]))
            writer.commit([covered(3, day=day)], [sweep()])
            if number == 4:
                maintain(writer, Wanted(keep_files=timedelta(1)))
    return lake


def flip(content: bytes, chance: random.Random) -> bytes:
    at, bit = chance.randrange(len(content)), chance.randrange(8)
    return content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :]


def cut(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content))]


def lose_a_page(content: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(content)) // PAGE * PAGE
    return content[:at] + bytes(len(content[at : at + PAGE])) + content[at + PAGE :]


def test_damaged_files(written: Path, *, long: bool) -> None:
    """Each is found; repair asks again for the very days that were in a lost file."""
    assert (verify(written).flaws, verify(written).notes) == ([], [])
    chance = random.Random(44)
    files = sorted(path for path in written.rglob("*") if path.is_file() and path.name not in NOT_JUDGED)
    for number in range(13_000 if long else 30):
        how = flip if number % 13 < 10 else cut if number % 13 < 12 else lose_a_page
        path = chance.choice(files)
        found_when_damaged(written, path, how(path.read_bytes(), chance))
    with open_lake(written) as lake:
        needed = {written / "log" / file.path for file in lake.files()}
    for path in files:
        if path in needed or not (path.parent.name.startswith("entity=") or path.suffix == ".sha256"):
            if long:
                found_when_damaged(written, path, b"")
            if path.name not in NOT_MISSED:
                found_when_damaged(written, path, None)
    assert not verify(written).flaws
    last = max((written / "log" / "entity=study").iterdir())
    content = last.read_bytes()
    last.write_bytes(flip(content, chance))
    windows = [one.window for one in plan(written).doubts]
    last.write_bytes(content)
    assert [(one.date_from, one.date_to) for one in windows] == [(date(2026, 1, 6), date(2026, 1, 6))]


def found_when_damaged(lake: Path, path: Path, damaged: bytes | None) -> None:
    content = path.read_bytes()
    try:
        if damaged is None:
            path.unlink()
        else:
            path.write_bytes(damaged)
        assert is_the_same(path, damaged, content) or verify(lake).flaws, (path, damaged)
    finally:
        path.write_bytes(content)


def is_the_same(path: Path, damaged: bytes | None, content: bytes) -> bool:
    """Whether nothing is lost: a manifest may lack the checksum behind its line, as those of earlier releases do."""
    whole = content.partition(b"\n")[0] if path.name == "manifest.json" else content
    return damaged in (content, whole, whole + b"\n")


def test_foreign_files(
    written: Path, tmp_path: Path, queued: Queued | None, capsys: pytest.CaptureFixture[str], *, long: bool
) -> None:
    """A later release's lake is refused, what others put into a lake is left there, and no name is misread."""
    if queued:
        met_by_a_job(tmp_path, written, queued)
        return
    refused_when_newer(tmp_path / "newer", capsys)
    read_with_more_in_it(tmp_path / "more")
    left_alone(tmp_path / "full", written, capsys)
    for name in HARMLESS if long else HARMLESS[:2]:
        shutil.copytree(written, tmp_path / name / "lake")
        check_whole(tmp_path / name / "lake")
    for name in MISREAD:
        (tmp_path / name).mkdir()
        for use in (LakeWriter.open, open_lake):
            with pytest.raises(UserError, match="choose another folder"):
                use(tmp_path / name / "lake")
        assert list((tmp_path / name).iterdir()) == []


def met_by_a_job(folder: Path, written: Path, queued: Queued) -> None:
    """Upkeep leaves files of others alone; the service ends where a later release wrote the lake in the meantime."""
    configure(folder, {"main": 1})
    shutil.copytree(written, folder / "lake")
    planted = plant(folder / "lake")
    assert queued.do(folder, "maintain").code == 0
    assert changed(planted) == []
    check_whole(folder / "lake")
    names = queued.prepared(folder, "maintain")
    make_newer(folder / "lake")
    with queued.doing(folder, names) as (service, _):
        pass
    assert service.process.returncode == Exit.NEWER_LAKE
    assert "install the release that wrote it" in service.words
    assert changed(planted) == []


def make_newer(lake: Path) -> None:
    """Have a lake say that a later release wrote it."""
    with LakeWriter.open(lake) as writer:
        writer.log.commit([], properties={FORMAT_KEY: str(FORMAT + 1)})
    with duckdb.connect(lake / "lake.duckdb") as catalog:
        catalog.execute(f"CREATE OR REPLACE VIEW lake_version AS SELECT 1 AS version, {FORMAT + 1} AS format")


def refused_when_newer(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command ends with exit code 14 and what to install, and no file changes."""
    folder.mkdir()
    configure(folder, {"main": 1})
    make_newer(folder / "lake")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name not in NOT_JUDGED}
    for command in NEWER:
        assert main([*command, "--config", str(folder / "pacslake.toml")]) == Exit.NEWER_LAKE, command
        assert "install the release that wrote it" in capsys.readouterr().err, command
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name not in NOT_JUDGED}
    assert after == before


def read_with_more_in_it(lake: Path) -> None:
    """What a commit says beyond what this release knows is passed over: properties, actions, fields of an action."""
    with LakeWriter.open(lake) as writer:
        writer.stage(Level.STUDY, "main", "s1", studies([("1.1", "one")]))
        writer.commit()
        writer.log.commit([], properties={"pacslake.unheard_of": "a later release's"})
    newest = commit_file(lake / "log", newest_version(lake / "log"))
    said = [json.loads(line) for line in newest.read_text().splitlines()]
    more = [{**one, "unheardOf": {"x": 1}} if "metaData" in one else one for one in said if "commitInfo" not in one]
    newest.write_bytes(sealed(more, {"timestamp": 0, "operation": "WRITE", "unheard": "of"}))
    with LakeWriter.open(lake) as writer:
        writer.stage(Level.STUDY, "main", "s1", studies([("1.2", "two")]))
        writer.commit()
        assert writer.log.properties["pacslake.unheard_of"] == "a later release's"
    assert verify(lake).flaws == []


def left_alone(folder: Path, written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is done in the lake, files of others stay and nothing is read from them; verify counts them."""
    folder.mkdir()
    configure(folder, {"main": 1})
    lake = folder / "lake"
    shutil.copytree(written, lake)
    planted = plant(lake)
    for command in (["maintain", "--whole", "--keep-files", "0"], ["verify"], ["repair", "--yes"]):
        assert main([*command, "--config", str(folder / "pacslake.toml")]) == 0, (command, capsys.readouterr())
        assert changed(planted) == [], command
    check_whole(lake)
    assert changed(planted) == []
    assert "none of the lake's, and are left alone" in " ".join(verify(lake).notes)
    for name in (NO_UTF8, "a link"):
        path = lake / "log" / "_delta_log" / name
        path.symlink_to(lake.parent)
        assert main(["maintain", "--config", str(folder / "pacslake.toml")]) == Exit.ERROR
        assert str(lake) in capsys.readouterr().err
        path.unlink()
    check_whole(lake)


def check_whole(lake: Path) -> None:
    """A lake can be read both ways, be written and be kept up."""
    with open_lake(lake) as opened, open_catalog(lake) as catalog:
        ask = "SELECT count(*) FROM studies"
        [(before,)] = opened.sql(ask).fetchall()
        assert catalog.execute(ask).fetchall() == [(before,)]
    with LakeWriter.open(lake) as writer:
        writer.stage(Level.STUDY, "main", "s1", studies([(f"1.0.{before}", "one more")]))
        writer.commit()
        maintain(writer, Wanted(keep_files=timedelta()))
    with open_lake(lake) as opened:
        assert opened.sql("SELECT count(*), count(DISTINCT StudyInstanceUID) FROM studies").fetchall() == [
            (before + 1, before + 1)
        ]
    assert verify(lake).flaws == []
