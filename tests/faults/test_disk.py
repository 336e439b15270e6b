"""What becomes of a lake whose disk is full or breaks, and of one whose writer is killed, at whichever system call."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Sequence

from tests.faults.injected import Call, Runner, spread, telling
from tests.faults.losing import Loss
from tests.faults.works import Bench, Work

ERRORS = ("ENOSPC", "EIO", "EDQUOT", "EROFS")
LOG = "lake/log"
COMMITS = f"{LOG}/_delta_log"


def test_killed_anywhere(works: Bench, runner: Runner, work: Work, tries: int | None) -> None:
    """The lake can be read as it was or as it is to be; the same command again ends well, in a whole lake."""
    whole = works.done(work)
    check_order(whole.calls)
    killed = 0
    for call in spread(telling(whole.calls), tries):
        folder = works.before(work)
        ended = runner.run(folder, work.arguments, call.failing(folder, "signal=KILL"))
        assert ended.code in (-signal.SIGKILL, *work.codes), (call, ended.said)
        killed += ended.code == -signal.SIGKILL
        works.check_mended(work, call)
    assert killed


def test_full_lake(works: Bench, runner: Runner, work: Work, tries: int | None, *, long: bool) -> None:
    """What does not get onto the disk is told, exit code 1; the same command again ends well, in a whole lake.

    Each call fails once, by one error after the other: a draft or a commit has enough of them for all four.
    """
    failed = 0
    calls = [call for call in telling(works.done(work).calls) if long or not costs_nothing(call)]
    for place, call in enumerate(spread(calls, tries)):
        error = ERRORS[(place + len(work.name)) % len(ERRORS)]
        folder = works.before(work)
        ended = runner.run(folder, work.arguments, call.failing(folder, f"error={error}"))
        told = os.strerror(getattr(errno, error)) in ended.said or "fsync failed" in ended.said  # which is DuckDB's
        assert told if ended.code == 1 else not ended.hit or costs_nothing(call), (call, error, ended.said)
        failed += ended.code == 1
        works.check_mended(work, call)
    assert failed


def test_lost_folder(works: Bench, lose: Loss, *, long: bool) -> None:
    """Told, exit code 1, and nothing grows in its place; when the folder is back everything goes on."""
    lose(works, long=long)


def costs_nothing(call: Call) -> bool:
    """Whether all is well without it: what was not removed is removed by the next, who also looks who had the lake.

    A folder is there already, or else what is to go into it fails.
    """
    return call.name in ("unlink", "unlinkat", "rmdir", "mkdir") or call.path == "lake/lock"


def check_order(calls: Sequence[Call]) -> None:
    """Bytes are on disk before their name, all that a commit names before the commit, and it before what follows."""
    begun = 0
    for published, call in enumerate(calls):
        if not (call.name in ("link", "linkat") and call.path.startswith(COMMITS)):
            continue
        commit = calls[begun : published + 1]
        for draft in {one.path for one in commit if one.name == "write" and one.path.startswith(f"{LOG}/entity=")}:
            in_order(commit, ("write", draft), ("fsync", draft), ("rename", draft), ("fsync", draft.rpartition("/")[0]))
        in_order(commit, ("write", call.path), ("fsync", call.path), (call.name, call.path))
        if begun:
            in_order(commit, ("fsync", LOG), ("write", call.path))
        begun = published + 1
        after = [one for one in calls[begun:] if one.name == "rename" or (one.name, one.path) == ("fsync", COMMITS)]
        assert not after or (after[0].name, after[0].path) == ("fsync", COMMITS)
    assert begun or not any(call.path.startswith(COMMITS) for call in calls)


def in_order(calls: Sequence[Call], *wanted: tuple[str, str]) -> None:
    """The last call of each of these comes before that of the next."""
    last = {(call.name, call.path): place for place, call in enumerate(calls)}
    assert [last[one] for one in wanted] == sorted(last[one] for one in wanted), wanted
