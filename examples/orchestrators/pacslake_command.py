"""Run a command of pacslake and say what its exit code asks of an orchestrator. Needs Python alone."""

from __future__ import annotations

import os
import subprocess
from contextlib import nullcontext
from enum import IntEnum
from pathlib import Path
from typing import IO, NoReturn

COMMAND = os.environ.get("PACSLAKE_COMMAND", "pacslake")
CONFIG = Path(os.environ.get("PACSLAKE_CONFIG", "pacslake.toml")).absolute()
FOLDER = CONFIG.parent


class Exit(IntEnum):
    """The exit codes that a night meets; docs/compatibility.md has all of them."""

    OK = 0
    ERROR = 1
    USAGE = 2
    PARTIAL = 3
    CAPPED = 4
    NO_LAKE = 10
    LOCKED = 11
    NEWER_LAKE = 14
    INTERRUPTED = 130


DONE = (Exit.OK, Exit.CAPPED, Exit.PARTIAL)
"""The command did what it could, and the lake says what is missing."""


class Again(Exception):
    """It may go better in half an hour: the lake has another owner, a PACS is down or may not be asked now."""


class Stopped(Exception):
    """A person is needed: the settings are wrong, the lake is of a later release, or somebody stopped the command."""


def run(*arguments: str, output: str | None = None) -> Exit:
    """Run a command to its end in the folder of the settings; give how it ended, one of DONE.

    Its standard output goes into the file `output`, which appears when it is complete. What else it says goes where
    this process writes, which orchestrators keep as the log of the task.
    """
    part = FOLDER / f"{output}.part"
    with part.open("wb") if output else nullcontext() as file:
        code = wait_for([COMMAND, *arguments, "--config", str(CONFIG)], file)
    if code not in DONE:
        refuse(code)
    if output:
        part.replace(FOLDER / output)
    return Exit(code)


def wait_for(command: list[str], output: IO[bytes] | None) -> int:
    """Wait for a command. When this process is to end, so is the command; its next run goes on where it ended."""
    with subprocess.Popen(command, cwd=FOLDER, stdout=output) as process:
        try:
            return process.wait()
        except BaseException:
            process.terminate()
            raise


def refuse(code: int) -> NoReturn:
    """Raise what an exit code asks for that is none of DONE."""
    if code == Exit.LOCKED:
        raise Again("another process owns the lake: a sweep, the service or upkeep")
    if code == Exit.ERROR:
        raise Again("an error; what the command said is above")
    if code == Exit.INTERRUPTED:
        raise Stopped("somebody stopped it; the next run goes on where it ended")
    raise Stopped(f"exit code {code}; what the command said is above")
