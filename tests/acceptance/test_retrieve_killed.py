"""Retrievals that are killed at any moment, and run again, from a PACS that lies: nothing that was told is lost.

PACSLAKE_KILLS says how many drawn moments are tried, without it a few that are the same each time.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

import crawler
from crawler.settings import Settings
from crawler.testing.objects import Objects
from crawler.testing.quirks import Claims, Offline, Quirks
from crawler.testing.simulator import Simulator, running
from tests.acceptance.installed import ENVIRONMENT
from tests.acceptance.retrieving import HELD, Attempt, losses, retrieve, sited
from tests.acceptance.schedules import source
from tests.integration.sending import dataset_of, in_layout, uid_of

ROOT = Path(__file__).parents[2]
RANDOM = int(os.environ.get("PACSLAKE_KILLS", "0"))
MIXTURES = (
    Quirks(),
    Quirks(twice=True, alters_again=True),
    Quirks(skips_every=3, claims=Claims.COMPLETED),
    Quirks(late=0.2),
    Quirks(offline_every=2, offline_for=0.3, offline=Offline.AGAIN),
    Quirks(skips_every=2, alters_again=True, claims=Claims.NOTHING),
    Quirks(sends_per_second=20),
    Quirks(breaks_after=2),
)
FILES = "select SOPInstanceUID, path, sha256, size from files"


@dataclass(frozen=True, repr=False)
class Murder:
    """Retrievals that are killed, one after the other, and one that ends. Its repr makes it again."""

    points: tuple[str, ...] = ()
    """Where each is killed, in the words of retrieve_victim.py."""
    quirks: tuple[Quirks, ...] = (Quirks(),)
    """Of the PACS of each, by turns; the last one gets that with the first."""
    way: str = "move"

    def __repr__(self) -> str:
        return source(self)


FIXED = (
    Murder(("e90", "e200", "e150"), (MIXTURES[1], MIXTURES[2])),
    Murder(("e200", "e120", "e120"), (MIXTURES[5], MIXTURES[0]), "get"),
)


class Victims:
    """The process that makes victims."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def die(self, point: str, config: Path) -> int | None:
        """Retrieve and be killed; give how many operations there were if the end came first."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(point, config, file=self._process.stdin, flush=True)
        told = self._process.stdout.readline().strip()
        assert told != "failed", "the retrieval failed, as is said on standard error"
        return None if told == "killed" else int(told)


@pytest.fixture(scope="module")
def victims() -> Iterator[Victims]:
    command = [sys.executable, "-m", "tests.acceptance.retrieve_victim"]
    with subprocess.Popen(
        command, cwd=ROOT, env=ENVIRONMENT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        yield Victims(process)
        assert process.stdin is not None
        process.stdin.close()


def reported(settings: Settings) -> set[tuple[str, str, str, int]]:
    """Give what the lake says of files."""
    with crawler.open_lake(settings.lake.path) as lake:
        return set(lake.sql(FILES).fetchall())


def check_store(settings: Settings, before: set[tuple[str, str, str, int]]) -> set[tuple[str, str, str, int]]:
    """Compare the lake with the store, and the store with what the PACS has."""
    store, objects, now = settings.local.store_path, Objects(HELD), reported(settings)
    assert not before - now, "what was told is not told any more"
    for _, path, digest, size in now:
        data = (store / path).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (size, digest)
    for file in in_layout(store):
        truth = objects.truth(uid_of(file))
        assert dataset_of(file) in (truth.dataset, truth.altered().dataset), "half written, or of somebody else"
    return now


@contextmanager
def misbehaving(settings: Settings, pacs: Simulator, quirks: Quirks) -> Iterator[None]:
    """Have another PACS in the place of this one."""
    other = Simulator(pacs.archive, quirks=quirks)
    other.destinations.update(pacs.destinations)
    with running(other):
        config = settings.lake.path.parent / "pacslake.toml"
        text = config.read_text()
        config.write_text(text.replace(f"port = {pacs.port}\n", f"port = {other.port}\n"))
        yield
        config.write_text(text)


def survive(folder: Path, murder: Murder, victims: Victims) -> int:
    """Be killed as often as is said, then bring all; give how many kills came before the end."""
    killed = 0
    known: set[tuple[str, str, str, int]] = set()
    with sited(folder, Attempt(murder.quirks[0], way=murder.way)) as (settings, pacs):
        for at, point in enumerate(murder.points):
            quirks = murder.quirks[at % len(murder.quirks)]
            if quirks == murder.quirks[0]:
                killed += victims.die(point, folder / "pacslake.toml") is None
            else:
                with misbehaving(settings, pacs, quirks):
                    killed += victims.die(point, folder / "pacslake.toml") is None
            known = check_store(settings, known)
        code = retrieve(settings)
        check_store(settings, known)
        wrong, missing = losses(settings, HELD, may_alter=True)
        assert wrong == []
        assert (code == 0) == (not missing)
        assert not missing
    return killed


def drawn(number: int) -> Murder:
    """Draw one."""
    chance = random.Random(number)
    points = (
        f"t{chance.uniform(0.05, 2.5):.3f}" if chance.random() < 0.5 else f"e{chance.randrange(1, 700)}" for _ in "123"
    )
    return Murder(tuple(points), tuple(chance.sample(MIXTURES, 2)), chance.choice(("move", "get")))


@pytest.mark.parametrize("murder", [drawn(number) for number in range(-(-RANDOM // 3))] or FIXED)
def test_a_retrieval_killed_anywhere_goes_on(tmp_path: Path, victims: Victims, murder: Murder) -> None:
    print(murder)  # shown when it fails
    killed = survive(tmp_path, murder, victims)
    assert killed >= 2 or RANDOM


def test_what_a_killed_retrieval_left_in_its_place_is_taken_although_the_pacs_sends_other_bytes_now(
    tmp_path: Path,
) -> None:
    """As a PACS does that writes the time of sending, or its own name, into what it sends."""
    with sited(tmp_path, Attempt(Quirks(alters_again=True))) as (settings, _):
        shutil.copytree(settings.lake.path, tmp_path / "before")
        assert retrieve(settings) == 0
        shutil.rmtree(settings.lake.path)
        (tmp_path / "before").rename(settings.lake.path)
        assert retrieve(settings) == 0
        assert losses(settings, HELD) == ([], frozenset())
        check_store(settings, set())


def test_a_retrieval_whose_listener_is_killed_brings_all_or_says_what_is_missing(tmp_path: Path) -> None:
    with sited(tmp_path, Attempt(way="move")) as (settings, _):
        killer = threading.Thread(target=kill_a_listener, args=(settings.local.store_path,))
        killer.start()
        code = retrieve(settings)
        killer.join()
        wrong, missing = losses(settings, HELD)
        assert wrong == []
        assert (code == 0) == (not missing)
        check_store(settings, set())
        assert retrieve(settings) == 0


def kill_a_listener(store: Path) -> None:
    """Wait until something has come, and kill the process that listens."""
    until = time.monotonic() + 10
    while not in_layout(store):
        assert time.monotonic() < until
        time.sleep(0.002)
    children = [pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]
    [listener] = [one for one in children if b"retrieve.listener" in Path(f"/proc/{one}/cmdline").read_bytes()]
    os.kill(int(listener), signal.SIGKILL)
