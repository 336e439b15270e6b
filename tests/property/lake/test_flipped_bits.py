"""A bit that flips in any file of a lake is found; a lake in which none did is whole."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crawler.lake.query import open_lake
from crawler.lake.upkeep import Wanted, maintain
from crawler.lake.verify import verify
from crawler.lake.writer import LakeWriter
from crawler.model import Level
from tests.property.lake.answers import answers, covered, studies, sweep

NOT_JUDGED = {"lock"}
"""It holds the name of the last owner."""
NOT_MISSED = {*NOT_JUDGED, "_last_checkpoint", f"{0:020d}.json"}
"""The lake is as good without: a checkpoint sums up the first commit, and upkeep deletes such commits one day."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with every kind of file: large and small ones, replaced ones, checkpoints, a key index of several runs."""
    lake = tmp_path_factory.mktemp("written") / "lake"
    with LakeWriter.open(lake) as writer:
        for number in range(1, 7):
            day = date(2026, 1, number)
            rows = [{"StudyInstanceUID": f"1.{number}.{at}", "StudyDate": day} for at in range(3)]
            writer.stage(Level.STUDY, "main", "s1", answers(Level.STUDY, rows))
            writer.stage(
                Level.STUDY,
                "main",
                "s1",
                studies([("1.9", f"look {number}"), (None, "no key")]),
            )
            writer.commit([covered(3, day=day)], [sweep()])
            if number == 4:
                maintain(writer, Wanted(keep_files=timedelta(1)))
    return lake


def test_a_lake_as_it_was_written_is_whole(written: Path) -> None:
    found = verify(written)
    assert (found.flaws, found.notes) == ([], [])
    assert found.files > 10


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_flipped_bit_is_found(written: Path, data: st.DataObject) -> None:
    files = sorted(path for path in written.rglob("*") if path.is_file() and path.name not in NOT_JUDGED)
    path = data.draw(st.sampled_from(files), label="file")
    content = path.read_bytes()
    at = data.draw(st.integers(0, len(content) - 1), label="byte")
    bit = data.draw(st.integers(0, 7), label="bit")
    try:
        path.write_bytes(content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :])
        assert verify(written).flaws
    finally:
        path.write_bytes(content)


def test_a_missing_file_is_found(written: Path) -> None:
    with open_lake(written) as lake:
        needed = [written / "log" / file.path for file in lake.files()]
    others = [path for path in written.rglob("*") if path.is_file() and not path.parent.name.startswith("entity=")]
    for path in (*needed, *others):
        if path.name not in NOT_MISSED and path.suffix != ".sha256":
            content = path.read_bytes()
            path.unlink()
            assert verify(written).flaws, path
            path.write_bytes(content)
    assert not verify(written).flaws
