"""What the exit codes mean, and which error becomes which. Pure."""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum

from crawler.errors import LakeLockedError, NewerLakeError, NoLakeError, PacslakeError, UserError
from crawler.model import JobState


class Exit(IntEnum):
    """The exit codes of every command."""

    OK = 0
    ERROR = 1
    USAGE = 2
    """The request or the configuration is wrong; nothing was done."""
    PARTIAL = 3
    """Some windows are not complete."""
    CAPPED = 4
    """Everything asked for was done, but capped answers are in the lake."""
    NO_LAKE = 10
    LOCKED = 11
    """Another process owns the lake, or another machine wrote to it first."""
    NEWER_LAKE = 14
    """A later release wrote the lake."""
    QUARANTINE = 20
    """Done, but images wait for a person who looks at them."""
    INTERRUPTED = 130


STATES = {Exit.OK: JobState.COMPLETE, Exit.CAPPED: JobState.CAPPED, Exit.PARTIAL: JobState.PARTIAL}
"""What is written down of a job that ended with one of these; with any other it failed."""
_WORST_FIRST = (Exit.INTERRUPTED, Exit.PARTIAL, Exit.CAPPED)


def worst(codes: Collection[int]) -> Exit:
    """Give the worst of what several sweeps ended with: 130 interrupted, 3 not complete, 4 only caps, 0 complete."""
    return next((code for code in _WORST_FIRST if code in codes), Exit.OK)


_BY_ERROR: tuple[tuple[type[PacslakeError], Exit], ...] = (
    (UserError, Exit.USAGE),
    (NoLakeError, Exit.NO_LAKE),
    (LakeLockedError, Exit.LOCKED),
    (NewerLakeError, Exit.NEWER_LAKE),
    (PacslakeError, Exit.ERROR),
)


def is_interruption(error: BaseException) -> bool:
    """Tell whether it is DuckDB's for Ctrl-C, which it takes in itself while it works in the main thread."""
    return isinstance(error, RuntimeError) and str(error) == "Query interrupted"


def disk_said(error: OSError) -> str:
    """Say which file could not be read or written, and why."""
    where, reason = error.filename or "a file", error.strerror or type(error).__name__
    return f"{where} could not be read or written ({reason})"


def exit_of(error: PacslakeError) -> Exit:
    """Give the exit code of an error that was raised on purpose."""
    return next(code for kind, code in _BY_ERROR if isinstance(error, kind))
