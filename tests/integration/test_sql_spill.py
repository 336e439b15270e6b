"""The folders for what does not fit into memory: what they hold does not outlast whoever was killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from crawler.serve.sql.spill import Spill

HOLD = """
from crawler.serve.sql.spill import Spill
spill = Spill()
(spill.path / "rows").write_text("a value")
print(spill.path, flush=True)
input()
"""


def test_what_a_killed_one_left_is_removed_and_what_is_in_use_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", HOLD], stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdout
        theirs = Path(other.stdout.readline().strip())
        mine = Spill()
        assert theirs.parent == mine.path.parent == tmp_path
        assert theirs.stat().st_mode & 0o777 == 0o700
        assert (theirs / "rows").exists()
        other.kill()
    assert theirs.exists()
    next_one = Spill()
    assert sorted(tmp_path.iterdir()) == sorted([mine.path, next_one.path])
    for spill in (mine, next_one, mine):
        spill.remove()
    assert not list(tmp_path.iterdir())
