"""PACS as people meet them on the pages: one with gaps and a cap, one with odd text, a slow one, one that is down."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

from crawler.testing.archive import Archive
from crawler.testing.quirks import Quirks
from crawler.testing.simulator import Simulator, running
from tests.acceptance.serving import Serving, configure_jobs, done_before, serving
from tests.acceptance.sweeping import sweep

MAIN, ODD, SLOW, DOWN = "main", "odd-1_Z", "slow", "out"
"""Names of the PACS."""

FIRST, LAST = date(2023, 12, 1), date(2024, 1, 31)
"""What the archives hold."""
CAPPED = date(2024, 1, 10)
GAP = (date(2024, 1, 4), date(2024, 1, 6))
"""Days of the main PACS that were never asked for, both included."""

JOB = '[jobs.rarely]\nkind = "sweep"\ncron = "0 0 29 2 *"\n'
A_DAY = timedelta(days=1)


@dataclass(frozen=True)
class World:
    """A running service, and the PACS behind it."""

    service: Serving
    simulators: dict[str, Simulator]

    @cached_property
    def address(self) -> str:
        """Where its pages are."""
        return f"http://127.0.0.1:{self.service.wait_for('listening')['port']}"


def simulated() -> dict[str, Simulator]:
    """Make the PACS that answer."""
    main = Archive(300, FIRST, LAST, seed=3, series_per_study=2, busy_day=CAPPED, busy=120, untimed=0.2)
    odd = Archive(40, FIRST, LAST, seed=5, series_per_study=2, undated=3)
    slow = Archive(100, FIRST, LAST, seed=7, series_per_study=1)
    return {
        MAIN: Simulator(main, quirks=Quirks(cap=60)),
        ODD: Simulator(odd, quirks=Quirks(misdeclares="ISO_IR 6")),
        SLOW: Simulator(slow, quirks=Quirks(latency=0.4)),
    }


@contextmanager
def living(folder: Path) -> Iterator[World]:
    """Crawl the PACS, then run the service over the lake that came of it."""
    with ExitStack() as stack:
        simulators = {name: stack.enter_context(running(one)) for name, one in simulated().items()}
        nobody = stack.enter_context(socket.socket())
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        ports = {name: one.port for name, one in simulators.items()} | {DOWN: nobody.getsockname()[1]}
        configure_jobs(folder, ports, JOB)
        sweep(folder, MAIN, "--from", str(FIRST), "--to", str(GAP[0] - A_DAY))
        sweep(folder, MAIN, "--from", str(GAP[1] + A_DAY), "--to", str(LAST))
        sweep(folder, ODD)
        done_before(folder, "rarely", ago=A_DAY)
        yield World(stack.enter_context(serving(folder)), simulators)
