"""A person stops a sweep within a crowded day: the next one either brings all of it or says that it did not."""

from __future__ import annotations

import os
import signal
from datetime import date
from pathlib import Path
from threading import Thread

import pytest

from crawler.settings import load
from crawler.testing.archive import Archive
from crawler.testing.quirks import Quirks
from crawler.testing.simulator import Simulator, running
from jobs.pacs import pause
from jobs.sweep import SweepRequest, run_sweep
from tests.acceptance.schedules import Schedule, losses
from tests.acceptance.serving import wait_until
from tests.acceptance.sweeping import configure

DAYS = (date(2024, 2, 1), date(2024, 2, 28))
CALM = Archive(120, *DAYS, seed=5, series_per_study=2)
CROWDED = Archive(60, *DAYS, seed=5, series_per_study=2, busy_day=DAYS[1], busy=60, untimed=0.3)


@pytest.mark.parametrize(
    ("archive", "cap", "queries", "code"), [(CALM, 0, 4, 0), (CROWDED, 20, 8, 4), (CROWDED, 20, 12, 4)]
)
def test_a_sweep_that_was_stopped_loses_nothing_in_silence(
    tmp_path: Path, archive: Archive, cap: int, queries: int, code: int
) -> None:
    with running(Simulator(archive, quirks=Quirks(cap=cap, latency=0.02))) as pacs:
        configure(tmp_path, {"main": pacs.port}, levels='["study"]', max_associations=1)
        settings, request = load(tmp_path / "pacslake.toml"), SweepRequest(("main",), *DAYS)

        def stop() -> None:
            wait_until(lambda: pacs.counts.queries.total() >= queries, every=0.002)
            os.kill(os.getpid(), signal.SIGINT)

        stopping = Thread(target=stop)
        stopping.start()
        assert run_sweep(settings, request) == 130
        stopping.join()
        assert run_sweep(settings, request) == code
        lost, _ = losses(settings, Schedule(archive, days=DAYS))
    assert lost == []


def test_a_sweep_that_leaves_a_pacs_out_is_not_done_where_the_others_are_capped(tmp_path: Path) -> None:
    with running(Simulator(CROWDED, quirks=Quirks(cap=20))) as pacs:
        configure(tmp_path, {"main": pacs.port, "paused": pacs.port}, levels='["study"]')
        settings = load(tmp_path / "pacslake.toml")
        pause(settings, "paused", None, "")
        assert run_sweep(settings, SweepRequest(("main",), *DAYS)) == 4
        assert run_sweep(settings, SweepRequest((), *DAYS)) == 3
