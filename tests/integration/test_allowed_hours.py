"""A sweep whose allowed hours end: it stops by the site's clock, says when it may go on, and does.

The site lies in a time zone of its own, made so that its clock shows what the test needs.
"""

from __future__ import annotations

import struct
import time
import zoneinfo
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from crawler.errors import NotNowError
from crawler.model import Level
from crawler.settings import load
from crawler.testing.archive import Archive
from crawler.testing.quirks import Quirks
from crawler.testing.simulator import Simulator, running
from jobs.sweep import SweepRequest, run_sweep
from tests.acceptance.sweeping import ask, configure, differences

DAYS = (date(2024, 2, 1), date(2024, 2, 28))
ARCHIVE = Archive(120, *DAYS, seed=5, series_per_study=2)
CLOSE = 8.0
"""Seconds until the hours end: longer than a sweep takes to begin, shorter than it lasts."""

SetClock = Callable[[str, float], None]


@pytest.fixture
def set_clock(tmp_path: Path) -> Iterator[SetClock]:
    """Give the function that has the clock of a zone show 18:00 so many seconds from now."""

    def make(zone: str, seconds: float) -> None:
        now = datetime.now(UTC)
        ahead = (timedelta(hours=18) - timedelta(hours=now.hour, minutes=now.minute, seconds=now.second)) // timedelta(
            seconds=1
        ) - round(seconds)
        header = b"TZif" + bytes(16) + struct.pack(">6l", 0, 0, 0, 0, 1, 4)
        (tmp_path / zone).write_bytes(header + struct.pack(">lbb", ahead, 0, 0) + b"LMT\0")

    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath(to=[str(tmp_path), *before])
    yield make
    zoneinfo.reset_tzpath(to=before)


def test_a_sweep_stops_when_its_hours_end_and_goes_on_in_the_next(
    tmp_path: Path, set_clock: SetClock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.permission.LOOK_EVERY", 60)  # who asks sees it first, and may be the last who asks
    with running(Simulator(ARCHIVE, quirks=Quirks(latency=0.15))) as pacs:
        configure(
            tmp_path,
            {"main": pacs.port},
            allowed_hours='{ weekdays = "12:00-18:00", saturday = "12:00-18:00", sunday = "12:00-18:00" }',
        )
        file = tmp_path / "pacslake.toml"
        closing = file.read_text() + '[local]\ntime_zone = "Closing"\n'
        file.write_text(closing)
        set_clock("Closing", CLOSE)
        end = time.monotonic() + CLOSE + 3  # half of what the sweep would take, and enough for a busy machine
        request = SweepRequest(("main",), *DAYS)
        assert run_sweep(load(file), request) == 3
        last = capsys.readouterr().err.splitlines()[-1]
        assert "; stopped, because it is outside its allowed hours, until " in last
        assert last.endswith("12:00 (Closing). Run the same command again to go on.")
        assert max(came for came, _ in pacs.counts.under_way) < end
        assert ask(tmp_path, "select state from sweeps") == [("interrupted",)]
        asked = len(pacs.counts.under_way)
        with pytest.raises(NotNowError, match=r"12:00 .Closing.. With --now it is asked all the same"):
            run_sweep(load(file), request)
        assert len(pacs.counts.under_way) == asked
        pacs.quirks = Quirks()
        file.write_text(closing.replace("Closing", "Open"))
        set_clock("Open", 3600)
        assert run_sweep(load(file), request) == 0
    assert differences(tmp_path, "main", Level.SERIES, ARCHIVE, DAYS) == []
