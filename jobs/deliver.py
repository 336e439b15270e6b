"""Deliver one alert, in a process of its own: whatever a receiver does, it can be killed.

What to deliver comes on standard input; why it did not arrive goes to standard output. Touches: standard input and
output, network, processes.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version

from crawler.serve.alarms import Message
from crawler.serve.receivers import UndeliveredError, deliver
from crawler.settings import AlertSettings, SmtpSettings
from jobs.exits import Exit
from jobs.wiring import begin

GRACE = 5.0
"""Seconds beyond a receiver's `timeout`: it limits each step, and starting takes a second on a busy machine."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message and to whom it goes."""

    message: Message
    alert: AlertSettings
    smtp: SmtpSettings | None


async def have_delivered(delivery: Delivery) -> str | None:
    """Deliver; give why it did not arrive, None when it did. Cancelled, it leaves no process behind."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "jobs.deliver"),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        start_new_session=True,  # so that what a command starts can be killed with it
    )
    try:
        async with asyncio.timeout(delivery.alert.timeout + GRACE):
            said, _ = await process.communicate(pickle.dumps(delivery))
    except TimeoutError:
        return "no answer in time"
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if process.returncode == Exit.OK:
        return None
    return said.decode(errors="replace").strip() or "unexpected; `pacslake alerts test` tries again"


def main() -> int:
    """Read what to deliver, do it, give the exit code."""
    begin()
    wanted: Delivery = pickle.load(sys.stdin.buffer)
    try:
        deliver(wanted.message, wanted.alert, wanted.smtp, version("pacslake"))
    except UndeliveredError as error:
        sys.stdout.write(f"{error}\n")
        return Exit.ERROR
    return Exit.OK


if __name__ == "__main__":
    sys.exit(main())
