"""Damaged files of a lake are found."""

from __future__ import annotations

import random
from datetime import date, timedelta
from pathlib import Path

import pytest

from crawler.lake.query import open_lake
from crawler.lake.restore import plan
from crawler.lake.upkeep import Wanted, maintain
from crawler.lake.verify import verify
from crawler.lake.writer import LakeWriter
from crawler.model import Level
from tests.property.lake.answers import answers, covered, studies, sweep

NOT_JUDGED = {"lock"}
"""It holds the name of the last owner."""
NOT_MISSED = {*NOT_JUDGED, "_last_checkpoint", f"{0:020d}.json"}
"""The lake is as good without: a checkpoint sums up the first commit, and upkeep deletes such commits one day."""
PAGE = 4096


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
    last.write_bytes(flip(last.read_bytes(), chance))
    windows = [one.window for one in plan(written).doubts]
    assert [(one.date_from, one.date_to) for one in windows] == [(date(2026, 1, 6), date(2026, 1, 6))]


def found_when_damaged(lake: Path, path: Path, damaged: bytes | None) -> None:
    content = path.read_bytes()
    try:
        if damaged is None:
            path.unlink()
        else:
            path.write_bytes(damaged)
        assert damaged == content or verify(lake).flaws, (path, damaged)
    finally:
        path.write_bytes(content)
