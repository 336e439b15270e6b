"""How a person, or the service, stops what runs: once gently, twice at once. Touches: signals, standard error."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager


@contextmanager
def stopping_on_signals(stops: Collection[Callable[[], None]]) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM calls these and lets what is under way end, the second one does not wait for it."""
    loop = asyncio.get_running_loop()
    whole = asyncio.current_task()
    asked = False

    def stop() -> None:
        nonlocal asked
        if asked and whole is not None:
            whole.cancel()
            return
        asked = True
        # Not click.echo, which goes past the bars and would be wiped out by the next one drawn.
        sys.stderr.write("pacslake: stopping after the queries under way; once more to stop now\n")
        for one in stops:
            one()

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
