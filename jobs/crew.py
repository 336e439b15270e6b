"""Work that needs all processors: processes beside this one, which end with it. Touches: processes, signals."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from crawler.errors import PacslakeError
from crawler.orphans import ender
from jobs.wiring import begin, set_malloc

In = TypeVar("In")
Out = TypeVar("Out")
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Of glibc's malloc.h."""
_KEPT = 32 << 20
"""Bytes; larger objects are given back, as malloc can only map them."""
_AHEAD = 3
"""Tasks for each process that are waiting: they hold what they are about in memory."""


def shared_out(work: Callable[[In], Out], tasks: Iterable[In], processes: int) -> Iterator[Out]:
    """Give what comes of tasks, in the order in which they end. One process is this one."""
    if processes == 1:
        _keep_pages()
        yield from map(work, tasks)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, context, initializer=_end_with, initargs=(os.getpid(),))
    waiting = iter(tasks)
    running: set[Future[Out]] = set()
    try:
        while True:
            for task in waiting:
                running.add(pool.submit(work, task))
                if len(running) >= processes * (1 + _AHEAD):
                    break
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (one.result() for one in done)
    except BrokenProcessPool:
        raise PacslakeError("a process that worked for this one was killed; was memory short? Run it again") from None
    except BaseException:
        for child in multiprocessing.active_children():  # what they are at is made anew
            child.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _keep_pages() -> None:
    """Have malloc keep what is freed for the next object: pages asked for anew are a sixth of the time."""
    set_malloc({_TRIM_THRESHOLD: 2 * _KEPT, _MMAP_THRESHOLD: _KEPT})


def _end_with(owner: int) -> None:
    """Have the kernel end this process when the one that works for it is gone; Ctrl-C is for that one alone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    begin()
    _keep_pages()
    ender()()
    if os.getppid() != owner:  # it went before we had said so
        os._exit(1)
