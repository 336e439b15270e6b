"""A process that works for another one does not outlive it, however that ends. Touches: processes."""

from __future__ import annotations

import ctypes
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def ender() -> Callable[[], None]:
    """Give what a new process calls so that the kernel ends it with its parent (prctl(2)); it does so on Linux alone.

    The library is loaded here, since a process that was just forked should load none. The kernel counts the thread
    that started the process as its parent.
    """
    if sys.platform != "linux":
        return lambda: None
    library = ctypes.CDLL(None)
    return lambda: library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
