"""How a job knows that its service lives, and ends with it: by standard input, which the service holds open.

Where services share their jobs it says something there again and again: one that is paused, or that the others have
not heard of, must not have its job go on, because another may take it. Touches: clock, signals, standard input.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

GRACE = 3.0
"""Seconds between asking a job to stop and not waiting any more."""
LATE = 1.5
"""Who finds that the service was silent for so many times as long as it may be was paused: nothing is waited for."""


def end_with_the_service(pulse: float | None) -> None:
    """Wait for the end of standard input, or silence there for `pulse` seconds; then stop as if asked to."""
    number = sys.stdin.fileno()  # not by sys.stdin, which an ending interpreter would wait for
    heard = time.monotonic()
    while True:
        ready, _, _ = select.select([number], [], [], pulse)
        silent, heard = time.monotonic() - heard, time.monotonic()
        if pulse is not None and silent > pulse * LATE:
            os.kill(os.getpid(), signal.SIGKILL)
        if not ready or not os.read(number, 4096):
            break
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os.kill(os.getpid(), signal.SIGKILL)
