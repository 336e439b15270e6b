"""What is told of exceptions and warnings that nobody foresaw: type and place, as their words may quote a patient.

Python prints them whole by itself: where a thread ends by one, an object's end fails, a library warns. Each process of
ours calls `tell_no_values` before anything else. Touches: standard error, the process's hooks.
"""

from __future__ import annotations

import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TextIO

from crawler.errors import PacslakeError


def tell_no_values() -> None:
    """Have Python print type and place alone."""
    sys.excepthook = _uncaught
    threading.excepthook = lambda given: _print(given.exc_value)
    sys.unraisablehook = lambda given: _print(given.exc_value)
    tell_warnings(lambda kind, place: _say(f"{kind} at {place}"))


def tell_warnings(tell: Callable[[str, str], None]) -> None:
    """Have the kind and the place of each warning told in this way, and never its words."""

    def _warned(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        """Stand in for `warnings.showwarning`, whose signature this is."""
        tell(category.__name__, f"{Path(filename).name}:{lineno}")

    warnings.showwarning = _warned


def describe(error: BaseException) -> str:
    """Say what an exception is without a value that a PACS sent."""
    if isinstance(error, PacslakeError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{type(error).__name__}: {error.strerror}"
    return type(error).__name__


def place_of(error: BaseException) -> str:
    """Say where an exception was raised, the innermost place first."""
    frames = reversed(traceback.extract_tb(error.__traceback__))
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames)


def traced(error: BaseException) -> str:
    """Give what Python prints of an exception and those before it, without their words."""
    told = [f"{''.join(traceback.format_tb(one.__traceback__))}{describe(one)}\n" for one in _chain(error)]
    return "\n".join(reversed(told))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _uncaught(_kind: type[BaseException], error: BaseException, _traceback: TracebackType | None) -> None:
    _print(error)


def _print(error: BaseException | None) -> None:
    if error is not None and not isinstance(error, SystemExit):
        _say(f"unexpected {describe(error)} at {place_of(error)}")


def _say(sentence: str) -> None:
    print(f"pacslake: {sentence}", file=sys.stderr)  # noqa: T201  # nothing else works here
