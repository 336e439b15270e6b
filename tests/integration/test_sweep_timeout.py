"""A sweep that takes too long ends at its own deadline, and the next one goes on with it."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path

import pytest

from crawler.model import Level
from crawler.settings import load
from crawler.testing.archive import Archive
from crawler.testing.quirks import Quirks
from crawler.testing.simulator import Simulator, running
from jobs.sweep import SweepRequest, run_sweep
from tests.acceptance.sweeping import ask, configure, differences

DAYS = (date(2024, 2, 1), date(2024, 2, 28))
ARCHIVE = Archive(60, *DAYS, seed=5, series_per_study=2)


def test_a_sweep_ends_at_its_deadline_and_is_gone_on_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    request = SweepRequest(("main",), *DAYS)
    with running(Simulator(ARCHIVE, quirks=Quirks(latency=60.0))) as pacs:
        configure(tmp_path, {"main": pacs.port}, sweep_timeout=1)
        began = time.monotonic()
        assert run_sweep(load(tmp_path / "pacslake.toml"), request) == 3
        assert time.monotonic() - began < 30  # the answer that is waited for takes a minute
        last = capsys.readouterr().err.splitlines()[-1]
        assert "; stopped, because its sweep_timeout is over. Run the same command again to go on." in last
        assert ask(tmp_path, "select state from sweeps") == [("interrupted",)]
        pacs.quirks = Quirks()
        configure(tmp_path, {"main": pacs.port})
        assert run_sweep(load(tmp_path / "pacslake.toml"), request) == 0
    assert differences(tmp_path, "main", Level.SERIES, ARCHIVE, DAYS) == []
