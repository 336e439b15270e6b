"""Commands of which one system call fails, or is the last before SIGKILL, by strace."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Protocol

from tests.acceptance.installed import ENVIRONMENT

ROOT = Path(__file__).parents[2]
CHANGING = (
    "write", "pwrite64", "writev", "pwritev", "fsync", "fdatasync", "rename", "renameat", "renameat2", "link", "linkat",
    "symlink", "unlink", "unlinkat", "rmdir", "ftruncate", "fallocate", "mkdir", "mkdirat", "openat", "copy_file_range",
)  # fmt: skip
"""The system calls that change a file or make it last."""
OBEYS_PERMISSIONS = () if os.geteuid() else ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
"""Begins a command that root types, so that it may do what the owner of a file may, and no more."""
_LINE = re.compile(r"(?P<time>[\d.]+) (?P<name>\w+)\((?P<arguments>.*)")
_CREATES = re.compile(r"O_CREAT|O_TRUNC|O_WRONLY|O_RDWR")
_DRAWN_FOLDER = re.compile(r"(^|/)\.[^/]+\.\w{8}(/|$)")
_DRAWN_DRAFT = re.compile(r"-[0-9a-f]{8}\.parquet$")
"""Names that are others in each run: of folders with a draft, and of drafts of the lake's files."""


@dataclass(frozen=True, slots=True)
class Call:
    """A system call: on what of the folder, the how manyth of its name in its thread, in all and on this file."""

    name: str
    path: str
    number: int
    number_on_path: int
    at: float
    injected: bool
    drawn: bool
    """Whether the file has another name in each run."""

    def failing(self, folder: Path, how: str) -> list[str]:
        """Give strace's options that let this call end by `error=EIO`, say, or `signal=KILL`."""
        options = [] if self.drawn else ["--trace-path", str(folder / self.path)]
        number = self.number if self.drawn else self.number_on_path
        return [*options, "--trace", self.name, "--inject", f"{self.name}:{how}:when={number}"]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and all that it printed."""

    code: int
    said: str
    calls: list[Call]
    """Those that were traced."""

    @property
    def hit(self) -> list[Call]:
        """The calls that were made to fail."""
        return [call for call in self.calls if call.injected]


class Runner(Protocol):
    """Does in a folder what commands do, one after another."""

    def ready(self, folder: Path, arguments: Sequence[str]) -> None:
        """Make ready in a folder what is needed to run a command there."""

    def run(self, folder: Path, arguments: Sequence[str], strace: Sequence[str] = ()) -> Ended:
        """Do what a command does, to its end, with these options of strace, or without it."""


class Victims:
    """Runs commands in a folder, each in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], logs: Path) -> None:
        self._process = process
        self._logs = logs
        self._runs = 0

    def run(self, folder: Path, arguments: Sequence[str], strace: Sequence[str] = ()) -> Ended:
        """Run a command in a folder to its end."""
        self._runs += 1
        log = self._logs / str(self._runs)
        log.mkdir()
        order = {
            "folder": str(folder),
            "arguments": arguments,
            "strace": writing_to(log, strace) if strace else [],
            "said": str(log / "said.log"),
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        said = (log / "said.log").read_text()
        assert code >= -64, said  # as victim.py says: it did not begin or did not end
        return Ended(code, said, calls_in(log, folder, drafts_drawn=False))

    def ready(self, folder: Path, arguments: Sequence[str]) -> None:
        """Make ready what is needed to run a command in a folder: nothing."""


def writing_to(log: Path, options: Sequence[str]) -> list[str]:
    """Give these options of strace, and that it write what it sees into a folder."""
    return ["--quiet=all", "-ff", "-ttt", "-y", "-s", "0", "--output", str(log / "calls"), *options]


def calls_in(log: Path, folder: Path, *, drafts_drawn: bool) -> list[Call]:
    """Read what strace wrote into a folder of the calls that change something in another."""
    drawn = [_DRAWN_FOLDER, *([_DRAWN_DRAFT] if drafts_drawn else [])]
    calls = [call for thread in log.glob("calls.*") for call in _read(thread, folder, drawn)]
    return sorted(calls, key=lambda call: call.at)


@contextmanager
def victims(logs: Path) -> Iterator[Victims]:
    """Have a process that runs commands while the block runs."""
    command = [*OBEYS_PERMISSIONS, sys.executable, "-m", "tests.faults.victim"]
    environment = {**ENVIRONMENT, "OPENBLAS_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, text=True) as process:
        yield Victims(process, logs)
        assert process.stdin is not None
        process.stdin.close()


def telling(calls: Sequence[Call]) -> list[Call]:
    """Leave calls out of the middle of a row of the same on one file: a file that is written piece by piece.

    And those that cannot be told from others of their name: opening a file in a folder that has another name each time.
    """
    calls = [call for call in calls if call.name != "openat" or not _DRAWN_FOLDER.search(call.path)]
    kept = []
    for _, row in groupby(calls, key=lambda call: (call.name, call.path)):
        found = list(row)
        kept += found[:1] + found[len(found) // 2 : -1][:1] + found[1:][-1:]
    return kept


def spread(calls: Sequence[Call], count: int | None) -> list[Call]:
    """Draw so many of the calls, one from each stretch of them; None stands for all."""
    if count is None or count >= len(calls):
        return list(calls)
    chance = random.Random(len(calls))
    ends = [len(calls) * place // count for place in range(count + 1)]
    return [calls[chance.randrange(first, last)] for first, last in pairwise(ends)]


def _read(log: Path, folder: Path, drawn: Sequence[re.Pattern[str]]) -> Iterator[Call]:
    """Read the calls of one thread, since strace counts for each thread; files that are only read are left out."""
    seen: Counter[tuple[str, ...]] = Counter()
    inside = re.compile(rf'[<"]{re.escape(str(folder))}/([^>"]+)[>"]')
    for line in log.read_text().splitlines():
        if found := _LINE.match(line):
            name, arguments = found["name"], found["arguments"]
            path = (inside.findall(arguments) or [""])[0]
            seen.update([(name,), (name, path)])
            if name != "openat" or _CREATES.search(arguments):
                numbers, injected = (seen[name,], seen[name, path]), arguments.endswith("(INJECTED)")
                other = any(names.search(path) for names in drawn)
                yield Call(name, path, *numbers, float(found["time"]), injected, other)
