"""Who owns a lake when several want it, and what becomes of it when its owner is told to end."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from crawler.lake.commits import newest_version
from tests.acceptance.installed import ENVIRONMENT
from tests.acceptance.serving import Serving, serving, wait_until
from tests.acceptance.test_several_services import HASTY, freeze
from tests.faults.injected import Runner, Victims, spread, telling
from tests.faults.losing import due_for_a_service
from tests.faults.works import WORKS, Bench, work_named

if TYPE_CHECKING:
    from tests.faults.queued import Queued

SWEEP = work_named("sweep")
BESIDE = (("serve",), SWEEP.arguments, ("maintain",), ("repair", "--yes"))
"""Commands that want the lake for themselves."""


@contextmanager
def sweeping(works: Bench, queries: int) -> Iterator[subprocess.Popen[bytes]]:
    """Have a sweep under way that has asked so many questions."""
    folder = works.begin(SWEEP)
    with (
        works.slow_pacs(),
        subprocess.Popen(
            ["pacslake", *SWEEP.arguments], cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as owner,
    ):
        try:
            works.wait_for_queries(queries)
            yield owner
        finally:
            owner.kill()


def test_two_owners(works: Bench, typist: Victims, queued: Queued | None, *, long: bool) -> None:
    """The second is told who owns it; a paused one is shut out; after a kill the next goes on. Nothing is lost."""
    beside_a_service(works, typist, BESIDE[1:] if queued else BESIDE)
    if queued:
        for queries in (2, 8):
            taken_over(works, queries, kill)
            taken_over(works, queries, freeze)
        return
    for queries in range(2, 9) if long else (5,):
        with sweeping(works, queries) as killed:
            killed.kill()
            killed.wait()
        works.check_mended(SWEEP, "killed")
        shut_out(works, queries)


def beside_a_service(works: Bench, typist: Victims, commands: Sequence[Sequence[str]]) -> None:
    """Whoever comes while a service does a job ends at once, with the name of who has the lake."""
    folder = due_for_a_service(works, SWEEP)
    with serving(folder) as service:
        with works.slow_pacs():
            works.wait_for_queries(2)
            for command in commands:
                ended = typist.run(folder, command)
                assert ended.code == 11, (command, ended.said)
                told = re.search(OWNER, ended.said)
                assert told, ended.said
                assert told[2] == socket.gethostname()
                assert (told[1] == str(service.process.pid)) == (command == ("serve",))
            assert not service.events("job ended")
        assert service.wait_for("job ended")["exit_code"] == 0
        service.process.terminate()
        assert service.process.wait(30) == 0
    works.check_mended(SWEEP, "beside a service")


def taken_over(works: Bench, queries: int, lose: Callable[[Serving], Sequence[int]]) -> None:
    """Of two services with a queue one is lost while it sweeps: the other goes on, and who wakes publishes nothing."""
    folder = due_for_a_service(works, SWEEP)
    with works.slow_pacs(), serving(folder, program=HASTY) as first:
        works.wait_for_queries(queries)
        asleep = lose(first)
        with serving(folder, program=HASTY) as second:
            assert second.wait_for("job ended")["exit_code"] == 0
            version = newest_version(folder / "lake" / "log")
            for process in asleep:
                os.kill(process, signal.SIGCONT)
            assert not asleep or first.wait_for("job ended")["exit_code"] != 0
            assert newest_version(folder / "lake" / "log") == version
    works.check_mended(SWEEP, ("taken over", queries, lose))


def kill(service: Serving) -> Sequence[int]:
    """Have a service die; nothing of it wakes again."""
    service.process.kill()
    return ()


OWNER = r"by process (\d+) on (\S+) since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"


def shut_out(works: Bench, queries: int) -> None:
    """An owner is paused and its lock taken away, as a file server does; when it goes on it can publish nothing."""
    with sweeping(works, queries) as paused:
        paused.send_signal(signal.SIGSTOP)
        wait_until(lambda: "\nState:\tT" in Path(f"/proc/{paused.pid}/status").read_text())
        (works.folder / "lake" / "lock").unlink()
        ended = works.run(SWEEP)
        assert ended.code == 0, ended.said
        version = newest_version(works.folder / "lake" / "log")
        paused.send_signal(signal.SIGCONT)
        _, said = paused.communicate(timeout=100)
        # What it had written so far was removed as what a killed owner leaves, or the version is taken.
        told = {1: b"could not be written", 11: b"Another writer has added to"}
        assert told[paused.returncode] in said, said
        assert newest_version(works.folder / "lake" / "log") == version
    works.check_mended(SWEEP, "shut out")


def test_terminated_anywhere(
    works: Bench, runner: Runner, queued: Queued | None, tries: int | None, *, long: bool
) -> None:
    """Each ends, the same command again ends well in a whole lake, and no finished window is asked for again."""
    terminated = 0
    for work in [work for work in WORKS if work.job or (long and not queued)]:
        for call in spread(telling(works.done(work).calls), tries):
            folder = works.before(work)
            ended = runner.run(folder, work.arguments, call.failing(folder, "signal=TERM"))
            # A job may hear it before it listens, which is when Python starts.
            assert ended.code in (130, *work.codes, *([-signal.SIGTERM] if queued else [])), (call, ended.said)
            terminated += ended.code not in work.codes
            works.check_mended(work, call)
    assert terminated
    for queries in (1, 4, 9) if queued else range(1, 10) if long else (5,):
        if not queued:
            terminate_a_command(works, queries)
        terminate_a_service(works, queries)


def terminate_a_command(works: Bench, queries: int) -> None:
    """It ends while a PACS keeps it waiting."""
    with sweeping(works, queries) as told:
        told.terminate()
        _, said = told.communicate(timeout=60)
    assert told.returncode == 130, said
    works.check_mended(SWEEP, ("terminated", queries))


def terminate_a_service(works: Bench, queries: int) -> None:
    """It ends the job under way and itself, with exit code 0, while a PACS keeps it waiting."""
    folder = due_for_a_service(works, SWEEP)
    with serving(folder) as service, works.slow_pacs():
        works.wait_for_queries(queries)
        service.process.terminate()
        assert service.process.wait(60) == 0
        [ended] = service.events("job ended")
        # The service says it once more after three seconds: a job that ends slowly dies of that, with all committed.
        assert ended["exit_code"] in (0, 130, -signal.SIGTERM)
    works.check_mended(SWEEP, ("a service", queries))
