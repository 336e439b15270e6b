"""Lakes whose folder is lost in one way or another, and what must come of the commands in it. Touches: mounts."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from crawler.settings import load
from tests.acceptance.serving import done_before, serving
from tests.faults.injected import Ended
from tests.faults.small import small
from tests.faults.works import WORKS, Bench, Work, work_named

ROOM = 10_000
"""Files, for who shall have enough of them."""
NEVER = "0 0 29 2 *"
"""When a job is due that is to be done at once and not again."""
JOB = f"""[serve]
listen = "127.0.0.1:0"
[jobs.nightly]
kind = "sweep"
reconcile_days = 0
lookback_days = 9999
cron = "{NEVER}"
"""
AGES = timedelta(days=9 * 366)
"""Since when it was not done: a leap day lies in between."""


class Loss(Protocol):
    """A way to lose a lake, tried in some works; the short form takes a sample."""

    def __call__(self, works: Bench, *, long: bool) -> None: ...


def read_only(works: Bench, *, long: bool) -> None:
    """Its disk was mounted for reading alone, as the kernel does with one that breaks."""
    for work in writing(long=long):
        folder = works.begin(work)
        with on_a_disk_of_its_own(folder / "lake") as mounted:
            before = names(folder)
            with remounted(folder / "lake", "ro", "rw") if mounted else closed(folder / "lake", 0o555):
                ended = works.run(work)
            check_told(ended, errno.EROFS if mounted else errno.EACCES)
            assert names(folder) == before
            works.check_mended(work, "read only")


def forbidden(works: Bench, *, long: bool) -> None:
    """Nobody may look into its folder any more: that is told, and not that there is none."""
    for work in WORKS if long else [work_named("maintain"), work_named("export")]:
        reads = work.name == "export"
        folder = works.before(work) if reads else works.begin(work)
        (folder / "lake").mkdir(exist_ok=True)
        before = names(folder)
        with closed(folder / "lake", 0o000):
            ended = works.run(work)
        check_told(ended, errno.EACCES)
        assert names(folder) == before
        if reads:  # and so leaves `lake.duckdb` as it was in another folder
            assert works.run(work).code == 0
        else:
            works.check_mended(work, "forbidden")


def without_inodes(works: Bench, *, long: bool) -> None:
    """Its disk has room, but for no more files than these."""
    told = 0
    for work in writing(long=long):
        for more in range(1, 12) if long else (2,):
            folder = works.begin(work)
            with on_a_disk_of_its_own(folder / "lake") as mounted:
                if not mounted:
                    return  # test_full_lake lets the system call fail instead
                disk = os.statvfs(folder / "lake")
                few = f"nr_inodes={disk.f_files - disk.f_ffree + more}"
                with remounted(folder / "lake", few, f"nr_inodes={ROOM}"):
                    ended = works.run(work)
                if ended.code not in work.codes:
                    check_told(ended, errno.ENOSPC)
                    told += 1
                works.check_mended(work, ("inodes", more))
    assert told


def taken_away(works: Bench, *, long: bool) -> None:
    """Its folder is renamed, and comes back, or is removed, while a sweep is under way."""
    work = work_named("sweep")
    for queries in range(1, 10) if long else (6,):
        for comes_back in (True, False) if long else (True,):
            folder, ended = works.begin(work), list[Ended]()
            sweep = threading.Thread(target=lambda to=ended: to.append(works.run(work)))
            with works.slow_pacs():
                sweep.start()
                works.wait_for_queries(queries)
                (folder / "lake").rename(folder / "away")
                sweep.join()
            check_told(ended[0], errno.ENOENT)
            assert not (folder / "lake").exists()
            if comes_back:
                (folder / "away").rename(folder / "lake")
            elif load(folder / "pacslake.toml").serve.queue:
                assert "the queue is that of another lake" in works.run(work).said
                continue
            works.check_mended(work, ("taken away", queries, comes_back))


def taken_from_a_service(works: Bench, *, long: bool) -> None:
    """A service waits for its lake, neither stops nor begins another, and does then what it had begun."""
    work = work_named("sweep")
    for queries in (1, 4, 8) if long else (4,):
        folder = due_for_a_service(works, work)
        with serving(folder) as service:
            with works.slow_pacs():
                works.wait_for_queries(queries)
                (folder / "lake").rename(folder / "away")
                assert service.wait_for("job ended")["exit_code"] == 1
            service.wait_for("the lake is gone")
            service.process.send_signal(signal.SIGHUP)
            service.wait_for("settings reloaded")
            assert len(service.events("job begins")) == 1
            assert not (folder / "lake").exists()
            (folder / "away").rename(folder / "lake")
            service.process.send_signal(signal.SIGHUP)
            service.wait_for("the lake is back")
            works.ready(work)
            assert service.wait_for("job ended", 2)["exit_code"] == 0
            service.process.terminate()
            assert service.process.wait(30) == 0
        works.check_mended(work, ("taken from a service", queries))


def due_for_a_service(works: Bench, work: Work) -> Path:
    """Make the folder as it is before a sweep that a service does as soon as it begins, by a queue or not."""
    folder = works.begin(work)
    file = folder / "pacslake.toml"
    if load(file).serve.queue is None:
        file.write_text(file.read_text() + JOB)
        done_before(folder, "nightly", ago=AGES)
    return folder


def writing(*, long: bool) -> list[Work]:
    """Give the works that write in the lake, or one of them."""
    return [work for work in WORKS if work.name != "export"] if long else [work_named("maintain")]


def check_told(ended: Ended, error: int) -> None:
    """What was lost, why, and what to do."""
    assert ended.code == 1, ended.said
    assert os.strerror(error) in ended.said, ended.said
    assert "/lake" in ended.said
    advice = ("mend that", "look whether its disk is full", '"again": ')  # the last of which a service does by itself
    assert any(words in ended.said.lower() for words in advice), ended.said


def names(folder: Path) -> list[str]:
    """Give all that is in a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@contextmanager
def on_a_disk_of_its_own(lake: Path) -> Iterator[bool]:
    """Have a lake on a small disk, where that is permitted."""
    aside = lake.with_name("aside")
    if lake.exists():
        lake.rename(aside)
    with small(lake, f"size=20m,nr_inodes={ROOM}") as mounted:
        if aside.exists():
            shutil.copytree(aside, lake, dirs_exist_ok=True)
            shutil.rmtree(aside)
        yield mounted


@contextmanager
def remounted(disk: Path, now: str, then: str) -> Iterator[None]:
    """Have a disk mounted otherwise while the block runs."""
    subprocess.run(["mount", "-o", f"remount,{now}", disk], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", f"remount,{then}", disk], check=True)


@contextmanager
def closed(folder: Path, mode: int) -> Iterator[None]:
    """Have a folder with these permissions while the block runs."""
    before = folder.stat().st_mode
    folder.chmod(mode)
    try:
        yield
    finally:
        folder.chmod(before)


LOSSES: tuple[Loss, ...] = (read_only, forbidden, without_inodes, taken_away, taken_from_a_service)
LOST_MEANWHILE: tuple[Loss, ...] = (taken_away, taken_from_a_service)
"""Those that happen while somebody does a job: with the others no service starts."""
