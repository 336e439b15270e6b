"""DuckDB within the limits of its process."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.installed import ENVIRONMENT

CODE = """
from crawler.lake.engine import connect
print(*connect().execute("SELECT current_setting('memory_limit')").fetchone())
"""


@pytest.mark.parametrize(("addressed", "left"), [(2 << 30, "768.0 MiB"), (1300 << 20, "128.0 MiB")])
def test_duckdb_takes_what_the_others_leave(addressed: int, left: str) -> None:
    command = ["prlimit", f"--as={addressed}", "python", "-c", CODE]
    assert subprocess.run(command, env=ENVIRONMENT, capture_output=True).stdout.decode().strip() == left


SORTS = """
import os, sys
from crawler.lake.engine import connect
with connect(memory_limit="64MB", threads=1) as connection:
    rows = connection.execute("SELECT hash(i) AS x, repeat('a', 50) AS y FROM range(2000000) t(i) ORDER BY x")
    rows.fetchone()
    for folder in (os.environ["TMPDIR"], "."):
        for path, _, names in os.walk(folder):
            print(path, oct(os.stat(path).st_mode & 0o777), len(names))
"""


def sorted_in(folder: Path) -> list[str]:
    """Sort what memory cannot hold; give the folders in which something lay meanwhile, and their modes."""
    elsewhere = folder / "working"
    elsewhere.mkdir()
    environment = {**ENVIRONMENT, "TMPDIR": str(folder / "temporary")}
    done = subprocess.run(["python", "-c", SORTS], cwd=elsewhere, env=environment, capture_output=True, umask=0o022)
    assert done.returncode == 0 or b"OutOfMemory" in done.stderr, done.stderr
    return [line.rpartition(" ")[0] for line in done.stdout.decode().splitlines() if not line.endswith(" 0")]


def test_what_memory_cannot_hold_lies_where_only_its_user_reads(tmp_path: Path) -> None:
    (tmp_path / "temporary").mkdir()
    mine = tmp_path / "temporary" / f"pacslake-{os.getuid()}"
    assert sorted_in(tmp_path) == [f"{mine} 0o700"]


@pytest.mark.parametrize("make", [lambda mine: mine.mkdir(mode=0o755), lambda mine: mine.symlink_to(mine.parent)])
def test_it_lies_nowhere_when_others_made_that_place(tmp_path: Path, make: Callable[[Path], None]) -> None:
    (tmp_path / "temporary").mkdir()
    make(tmp_path / "temporary" / f"pacslake-{os.getuid()}")
    assert sorted_in(tmp_path) == []
