"""Who owns a lake: one process at a time. One that is killed is followed by the next; a paused one is shut out."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crawler.errors import LakeLockedError
from crawler.lake.query import open_lake
from crawler.lake.writer import LakeWriter
from crawler.model import Level
from tests.acceptance.installed import ENVIRONMENT
from tests.property.lake.answers import studies

ROOT = Path(__file__).parents[2]


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    with LakeWriter.open(tmp_path / "lake") as writer:
        writer.stage(Level.STUDY, "main", "s1", studies([("1.2.0", "before")]))
        writer.commit()
    return tmp_path / "lake"


@contextmanager
def owner(lake: Path) -> Iterator[subprocess.Popen[str]]:
    """Have another process own the lake, a line on its standard input lets it commit a study."""
    command = [sys.executable, "-m", "tests.integration.lake_owner", str(lake)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, text=True, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "owner\n"
        yield process
        process.kill()


def uids(lake: Path) -> list[str]:
    with open_lake(lake) as opened:
        return [uid for (uid,) in opened.sql("SELECT StudyInstanceUID FROM studies ORDER BY 1").fetchall()]


def test_a_paused_owner_that_lost_the_lake_cannot_commit_when_it_goes_on(lake: Path) -> None:
    with owner(lake) as paused:
        paused.send_signal(signal.SIGSTOP)
        # The kernel keeps the lock of a paused process; a file server whose lease ran out, and people, take it away.
        (lake / "lock").unlink()
        with LakeWriter.open(lake) as writer:
            writer.stage(Level.STUDY, "main", "s1", studies([("1.2.2", "theirs")]))
            paused.send_signal(signal.SIGCONT)
            said, _ = paused.communicate("commit\n", timeout=60)
            assert said.startswith("CommitConflictError ")
            writer.commit()
    assert uids(lake) == ["1.2.0", "1.2.2"]
    LakeWriter.open(lake).close()


def test_an_owner_that_was_not_shut_out_commits(lake: Path) -> None:
    with owner(lake) as process:
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(LakeLockedError, match=f"is in use by process {process.pid} on "):
            LakeWriter.open(lake)
        process.send_signal(signal.SIGCONT)
        said, _ = process.communicate("commit\n", timeout=60)
    assert int(said) > 0
    assert uids(lake) == ["1.2.0", "1.2.1"]


def test_after_a_kill_the_next_takes_over_at_once(lake: Path) -> None:
    with owner(lake) as process:
        process.kill()
        process.wait()
        LakeWriter.open(lake).close()
    assert uids(lake) == ["1.2.0"]


def test_who_lets_the_lake_go_leaves_nothing_to_shut_out(lake: Path) -> None:
    versions = set()
    for _ in range(2):
        with LakeWriter.open(lake) as writer:
            versions.add(writer.version)
    assert len(versions) == 1
