"""A lake in a bucket whose store fails, whose writer is killed at a request, and which two machines write at once."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from crawler.errors import CommitConflictError, NoLakeError
from crawler.lake.flaws import Harm
from crawler.lake.lock import OwnerLock
from crawler.lake.query import Lake, open_lake
from crawler.lake.remote import StoreError, attach, remote_of
from crawler.lake.verify import verify
from crawler.lake.writer import LakeWriter
from crawler.model import Level
from crawler.place import Place
from crawler.testing.quirks import Quirks
from crawler.testing.simulator import Simulator, running
from jobs.watched import WatchedLake
from tests.acceptance.installed import ENVIRONMENT, SECRET, pacslake
from tests.acceptance.serving import serving
from tests.acceptance.sweeping import section
from tests.acceptance.test_several_services import HASTY, freeze, job_of
from tests.faults.overhearing import Overheard
from tests.faults.store_proxy import Fate, Proxy, standing_before
from tests.faults.swept import since
from tests.faults.works import ARCHIVE, DAYS
from tests.integration.object_store import Bucket, settings_for
from tests.integration.object_store import serving as storing
from tests.integration.test_lake_crash import check_promises, check_whole
from tests.integration.test_sweep_kill import wait_for_queries
from tests.property.lake.answers import studies

if TYPE_CHECKING:
    from tests.faults.queued import Queued

ROOT = Path(__file__).parents[2]
SWEEP = ("sweep", "--from", str(DAYS[0]), "--to", str(DAYS[1]))
COUNT = ("sql", "select count(*) as n from studies", "--format", "csv")
TROUBLES = (Fate.REFUSED, Fate.CUT, Fate.LOST, Fate.SILENT)


class Moment(NamedTuple):
    """When somebody is killed."""

    ending: str
    """Of the path."""
    nth: int
    """Of the requests that are such."""
    when: str
    word: str = "write"
    """What they were doing."""


SOME = (
    Moment(".json", 2, "after"),
    Moment(".json", 0, "after", "read"),
    Moment(".parquet", 1, "before"),
    Moment("?delete", 0, "after"),
)
"""Moments in one work that is begun again each time."""


@pytest.fixture(scope="module")
def bucket(overheard: Overheard) -> Iterator[Bucket]:
    with storing() as serves:
        yield serves


@pytest.fixture(scope="module")
def proxy(bucket: Bucket) -> Iterator[Proxy]:
    with standing_before(bucket.port) as stands:
        yield stands


def place(bucket: Bucket, prefix: str, port: int | None = None) -> Place:
    return Place(bucket.url(prefix), f"http://127.0.0.1:{port or bucket.port}", "us-east-1", timeout=1.0)


def stage(writer: LakeWriter, uid: str) -> None:
    writer.stage(Level.STUDY, "main", "s1", studies([(uid, "one")]))


def add(copy: Path, uid: str) -> None:
    with LakeWriter.open(copy) as writer:
        stage(writer, uid)
        writer.commit()


def uids_of(lake: Lake) -> set[str]:
    return {uid for (uid,) in lake.sql("SELECT StudyInstanceUID FROM studies").fetchall()}


def test_store_in_trouble(tmp_path: Path, bucket: Bucket, proxy: Proxy, queued: Queued | None, *, long: bool) -> None:
    """A request that fails once is made again, and a lost answer is no second writer; a store that is down is told."""
    if queued:
        told_by_a_job(tmp_path / "machine", bucket, proxy, queued)
        return
    here, there = tmp_path / "here", tmp_path / "there"
    for copy in (here, there):
        attach(copy, place(bucket, tmp_path.name, proxy.port))
    wanted: set[str] = set()
    with LakeWriter.open(here) as writer, open_lake(there) as lake:
        for fate, ending in product(TROUBLES, (".parquet", ".json")):
            fails_once(proxy, fate, ending)
            wanted.add(uid := f"1.{len(wanted)}")
            stage(writer, uid)
            writer.commit()
            if ending == ".json":
                fails_once(proxy, fate, "")
                lake.refresh()
                assert uids_of(lake) == wanted
        for fate in TROUBLES if long else (Fate.CUT,):
            always(proxy, fate, tmp_path)
    add(here, "1.1.1")
    with open_lake(there) as lake:
        assert uids_of(lake) == wanted | {"1.1.1"}
    proxy.obeys_conditions = False
    with pytest.raises(StoreError, match="is a store that overwrites what it is told to create only"):
        LakeWriter.open(here)
    proxy.obeys_conditions = True
    if long:
        told_by_commands(tmp_path / "machine", bucket, proxy)


def always(proxy: Proxy, fate: Fate, folder: Path) -> None:
    """Nobody reads what may be old, nobody is told that something was written."""
    copy = folder / "there"
    down = Place(f"s3://hospital/{folder.name}", f"http://127.0.0.1:{proxy.port}", "us-east-1", timeout=0.2)
    usual = remote_of(copy)
    assert usual is not None
    attach(copy, down)
    told = f"^{down.url} cannot be used now .* duckdb -readonly {copy}/lake.duckdb$"
    watched = WatchedLake(copy, is_copy=True)
    proxy.decide = lambda method, path: fate
    with pytest.raises(StoreError, match=told):
        open_lake(copy)
    with OwnerLock(copy, "service.lock") as lock:
        assert not watched.is_there(lock), "a service begins nothing"
        assert watched.done() == {}
    proxy.decide = lambda method, path: fate if method == "PUT" else Fate.PASSES
    with pytest.raises(StoreError, match=told):
        LakeWriter.open(copy)

    signals = [signal.SIGINT]

    def interrupt(method: str, path: str) -> Fate:
        if signals:
            os.kill(os.getpid(), signals.pop())
        return Fate.SILENT

    proxy.decide = interrupt
    with pytest.raises(KeyboardInterrupt):
        open_lake(copy)
    proxy.decide = lambda method, path: Fate.PASSES
    attach(copy, usual.place)
    with OwnerLock(copy, "service.lock") as lock:
        assert watched.is_there(lock)


def fails_once(proxy: Proxy, fate: Fate, ending: str) -> None:
    """Have the next request fail whose path ends so."""
    left = [fate]
    proxy.decide = lambda method, path: left.pop() if left and path.endswith(ending) else Fate.PASSES


def told_by_commands(folder: Path, bucket: Bucket, proxy: Proxy) -> None:
    """Nobody reads what may be old, and nobody learns who asks; when the store is back the same commands go on."""
    with running(Simulator(ARCHIVE)) as pacs:
        settings_for(folder, bucket, f"{folder.parent.name}-swept", "timeout = 1\n", proxy.port)
        with (folder / "pacslake.toml").open("a") as settings:
            settings.write(section("main", port=pacs.port))
        fails_after = iter(range(9))
        proxy.decide = lambda method, path: Fate.PASSES if next(fails_after, None) is not None else Fate.REFUSED
        for command, codes in ((SWEEP, {1}), (COUNT, {1})):
            done = pacslake(folder, *command)
            said = (done.stdout + done.stderr).decode()
            assert done.returncode in codes, said
            assert "cannot be used now (status 503" in said
            assert SECRET not in said
        proxy.decide = lambda method, path: Fate.PASSES
        assert pacslake(folder, *SWEEP).returncode == 0
        assert pacslake(folder, *COUNT).stdout == b"n\n8\n"


def told_by_a_job(folder: Path, bucket: Bucket, proxy: Proxy, queued: Queued) -> None:
    """It is given up and waits, and nobody learns who asks; when the store is back it is done."""
    with running(Simulator(ARCHIVE)) as pacs:
        settings_for(folder, bucket, f"{folder.parent.name}-swept", "timeout = 1\n", proxy.port)
        with (folder / "pacslake.toml").open("a") as settings:
            settings.write(section("main", port=pacs.port))
        queued.prepared(folder, "sweep", **since(DAYS[0]))
        proxy.decide = lambda method, path: Fate.REFUSED if pacs.counts.queries else Fate.PASSES
        done = queued.do(folder, "sweep")
        said = "\n".join(done.said)
        assert done.code == 1, said
        assert "cannot be used now (status 503" in said
        assert SECRET not in said
        proxy.decide = lambda method, path: Fate.PASSES
        assert queued.do(folder, "sweep").code == 0
        assert pacslake(folder, *COUNT).stdout == b"n\n8\n"


def machines(folder: Path, bucket: Bucket, port: int, pacs: Simulator, queued: Queued) -> tuple[Path, Path, list[str]]:
    """Have two machines with a queue, each with a copy of its own of the same lake, and a sweep that is due."""
    here, there = folder / "here", folder / "there"
    settings_for(here, bucket, f"{folder.parent.name}-{folder.name}", section("main", port=pacs.port), port)
    names = queued.prepared(here, "sweep", **since(DAYS[0]))
    there.mkdir()
    shutil.copy(here / "pacslake.toml", there)
    return here, there, names


def job_killed(folder: Path, bucket: Bucket, proxy: Proxy, queued: Queued, moment: Moment) -> None:
    """The job is killed at a request to the store; the other machine goes on, and both have the same lake."""
    with running(Simulator(ARCHIVE)) as pacs:
        here, there, names = machines(folder, bucket, proxy.port, pacs, queued)
        met: list[str] = []

        def meet(path: str, when: str) -> Fate:
            if when == moment.when and pacs.counts.queries and path.endswith(moment.ending):
                met.append(path)
                if len(met) == moment.nth + 1:
                    os.kill(job_of(service), signal.SIGKILL)
            return Fate.PASSES

        with queued.doing(here, names) as (service, codes):
            proxy.decide = lambda _, path: meet(path, "before")
            proxy.after = lambda _, path: meet(path, "after")
        proxy.decide = proxy.after = lambda _, path: Fate.PASSES
        assert [*codes.values()] == [-signal.SIGKILL]
        assert queued.do(there, "sweep").code == 0
        for machine in (here, there):
            assert pacslake(machine, *COUNT).stdout == b"n\n8\n"
            assert verify(machine / "copy").flaws == []


def test_killed_at_a_request(
    tmp_path: Path, bucket: Bucket, proxy: Proxy, queued: Queued | None, *, long: bool
) -> None:
    """Another machine reads a lake as it was at a commit, and the same work again ends well."""
    if queued:
        for number, moment in enumerate((Moment(".json", 0, "after"), Moment(".parquet", 1, "before"))):
            job_killed(tmp_path / f"killed{number}", bucket, proxy, queued, moment)
        return
    command, pipe = [sys.executable, "-m", "tests.faults.store_victim"], subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, text=True, stdin=pipe, stdout=pipe) as victims:
        if long:
            undisturbed = Killing(proxy, victims, tmp_path / "all", bucket)
            for word, count in (("write", len(undisturbed.run())), ("read", len(undisturbed.run("read")))):
                for nth, when in product(range(count), ("before", "after")):
                    killed = Killing(proxy, victims, tmp_path / f"{word}-{when}-{nth}", bucket)
                    if word == "read":
                        killed.run()
                    killed.at([Moment("", nth, when, word)])
        else:
            Killing(proxy, victims, tmp_path / "some", bucket).at(SOME)
        assert victims.stdin is not None
        victims.stdin.close()


class Killing:
    """A machine whose work is cut off at a request, and another one that looks."""

    def __init__(self, proxy: Proxy, victims: subprocess.Popen[str], folder: Path, bucket: Bucket) -> None:
        self._proxy = proxy
        self._victims = victims
        prefix = f"{folder.parent.name}-{folder.name}"
        self._here, self._there = folder / "here", folder / "there"
        attach(self._here, place(bucket, prefix, proxy.port))
        attach(self._there, place(bucket, prefix, proxy.port))

    def at(self, moments: Sequence[Moment]) -> None:
        """Have the work killed and begun again, once for each moment; nothing is torn, and in the end all is done."""
        for moment, following in zip(moments, [*moments[1:], None], strict=True):
            self.run(moment.word, moment)
            if following and following.word == "read":
                continue  # or there is nothing to fetch
            try:
                with open_lake(self._there) as lake:
                    check_promises(lake)
            except NoLakeError:
                assert moment.nth < 2, "the lake is made by the first commit"
        self.run()
        with open_lake(self._there) as lake:
            check_whole(lake)
        assert {flaw.harm for flaw in verify(self._here).flaws} <= {Harm.ROWS}, "its studies are of no day"

    def run(self, word: str = "write", moment: Moment | None = None) -> list[str]:
        """Write on one machine or read on the other, to be killed before or after a request; gives what was asked."""
        met: dict[str, list[str]] = {"before": [], "after": []}
        victim: list[int] = []
        alone = threading.Lock()

        def meet(path: str, when: str) -> Fate:
            with alone:
                if moment is None or path.endswith(moment.ending):
                    met[when].append(path)
                    if moment and when == moment.when and len(met[when]) == moment.nth + 1:
                        os.kill(victim[0], signal.SIGKILL)
            return Fate.PASSES

        self._proxy.decide = lambda _, path: meet(path, "before")
        self._proxy.after = lambda _, path: meet(path, "after")
        assert self._victims.stdin is not None
        assert self._victims.stdout is not None
        self._victims.stdin.write(f"{word} {self._here if word == 'write' else self._there}\n")
        self._victims.stdin.flush()
        victim.append(int(self._victims.stdout.readline()))
        code = int(self._victims.stdout.readline())
        assert code == (-signal.SIGKILL if moment else 0), moment
        return met["before"]


def machine_frozen(folder: Path, bucket: Bucket, queued: Queued) -> None:
    """Of two machines with a queue one is frozen in mid-sweep; what it writes when it wakes is refused."""
    with running(Simulator(ARCHIVE, quirks=Quirks(latency=0.3))) as pacs:
        here, there, _ = machines(folder, bucket, bucket.port, pacs, queued)
        with serving(here, program=HASTY) as first:
            wait_for_queries(pacs, 4)
            asleep = freeze(first)
            with serving(there, program=HASTY) as second:
                assert second.wait_for("job ended")["exit_code"] == 0
                for process in asleep:
                    os.kill(process, signal.SIGCONT)
                assert first.wait_for("job ended")["exit_code"] != 0
        for machine in (here, there):
            assert pacslake(machine, *COUNT).stdout == b"n\n8\n"
        assert verify(there / "copy").flaws == []


def test_two_machines(tmp_path: Path, bucket: Bucket, queued: Queued | None, *, long: bool) -> None:
    """Of two that write at once the first is shut out, is told so, and goes on when the other has ended."""
    if queued:
        machine_frozen(tmp_path / "frozen", bucket, queued)
        return
    first, second = tmp_path / "first", tmp_path / "second"
    for copy in (first, second):
        attach(copy, place(bucket, tmp_path.name))
    with LakeWriter.open(first) as early:
        stage(early, "1.1")
        early.commit()
        with LakeWriter.open(second) as late:
            stage(early, "1.2")
            with pytest.raises(CommitConflictError, match=r"Another writer has added to s3://.* same again\.$"):
                early.commit()
            stage(late, "1.3")
            last = late.commit()
    with LakeWriter.open(second) as alone:
        assert alone.version == last, "nobody has to be shut out"
    add(first, "1.2")
    with open_lake(second) as lake:
        assert uids_of(lake) == {"1.1", "1.2", "1.3"}
    assert verify(first).flaws == []
    if long:
        two_commands(tmp_path / "commands", bucket)


def two_commands(folder: Path, bucket: Bucket) -> None:
    """The exit code is that of a lake which somebody else owns."""
    first, second = folder / "first", folder / "second"
    with running(Simulator(ARCHIVE, quirks=Quirks(latency=0.5))) as busy, running(Simulator(ARCHIVE)) as pacs:
        for machine, asked in ((first, busy), (second, pacs)):
            settings_for(machine, bucket, f"{folder.parent.name}-swept", section("main", port=asked.port))
        with subprocess.Popen(["pacslake", *SWEEP], cwd=first, env=ENVIRONMENT, stderr=subprocess.PIPE) as sweeping:
            wait_for_queries(busy, 1)
            assert pacslake(second, *SWEEP).returncode == 0
            _, said = sweeping.communicate(timeout=60)
        assert sweeping.returncode == 11
        assert b"Another writer has added to s3://" in said
        busy.quirks = Quirks()
        assert pacslake(first, *SWEEP).returncode == 0
    assert pacslake(second, *COUNT).stdout == b"n\n8\n"
