"""Memory that ends: the task that needs it ends with a sentence, or goes on by the disk; the lake stays as it was."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from crawler.errors import OUT_OF_MEMORY
from crawler.lake.query import open_lake
from tests.acceptance.installed import ENVIRONMENT
from tests.faults.works import SAME, WORKS

if TYPE_CHECKING:
    from tests.faults.queued import Queued

GB = 2**30
LISTED = "select len(list(number)) as numbers from range({}) t(number)"
"""Holds all numbers in memory at once: there is no way by the disk."""
SORTED = "select max(text) from (select number || repeat('x', 60) as text from range({}) t(number) order by text desc)"


@dataclass(frozen=True, slots=True)
class Task:
    """A command, how much it can address, and how it ends."""

    words: tuple[str, ...]
    addressed: float
    code: int
    said: str = ""


def limited(folder: Path, task: Task) -> subprocess.CompletedProcess[bytes]:
    """Run a command that can address so many GB."""
    limit = f"--as={int(task.addressed * GB)}"
    command = ["prlimit", limit, "pacslake", *task.words]
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, timeout=600)


def tasks(long: bool) -> list[Task]:
    """Give what is tried."""
    much = LISTED.format(400_000_000)
    exported = ("export", "--sql", much, "--format", "csv", "--output", "numbers.csv")
    few = [
        Task(("sql", much), 2, 1, OUT_OF_MEMORY),
        Task(exported, 2, 1, OUT_OF_MEMORY),
        Task(("maintain", "--whole"), 2, 0),
        Task(
            ("sql", "select count(*) from studies"), 1.9, 2, "`ulimit -v` leaves 1.9 GB to be addressed, and 2.0 GB are"
        ),
    ]
    if not long:
        return few
    by_the_disk = Task(("sql", SORTED.format(12_000_000)), 2, 0)
    return [*few, by_the_disk, *(Task(one.words, 4, one.code, one.said) for one in few[:3])]


def test_memory_limit(tmp_path: Path, queued: Queued | None, long: bool) -> None:
    next(work for work in WORKS if work.name == "maintain").prepare(tmp_path / "lake")
    (tmp_path / "pacslake.toml").write_text('[lake]\npath = "lake"\n')
    before = held(tmp_path)
    if queued:
        names = queued.prepared(tmp_path, "maintain")
        with queued.doing(tmp_path, names, ("prlimit", f"--as={2 * GB}", "pacslake")) as (_, codes):
            pass
        assert set(codes.values()) == {0}
        assert held(tmp_path) == before
        return
    for task in tasks(long):
        done = limited(tmp_path, task)
        said = done.stderr.decode()
        assert (done.returncode, task.said in said) == (task.code, True), (task, said)
        assert held(tmp_path) == before
        assert not (tmp_path / "numbers.csv").exists()
    assert subprocess.run(["pacslake", "verify"], cwd=tmp_path, env=ENVIRONMENT, capture_output=True).returncode == 0


def held(folder: Path) -> list[list[tuple[object, ...]]]:
    with open_lake(folder / "lake") as lake:
        return [lake.sql(query).fetchall() for query in SAME]
