"""Work in threads that nobody has to wait for: it is as if they were killed when the process ends. Touches: threads."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")

_given_up: list[Future[Any]] = []


def apart(work: Callable[[], T], name: str) -> Future[T]:
    """Begin the work in a thread of this name, and give what comes of it."""
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # it belongs to whoever waits
            done.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return done


def let_end(work: Future[Any], patience: float) -> None:
    """Wait some seconds for what was told to end, and no longer."""
    if wait([work], patience).not_done:
        _given_up.append(work)


def leave(code: int) -> int:
    """Give the exit code; but where something given up is still at it, which Python can't put away, end with it now."""
    if any(not work.done() for work in _given_up):
        for stream in sys.stdout, sys.stderr:
            with suppress(OSError, ValueError):  # nobody reads along any more
                stream.flush()
        os._exit(code)
    return code
