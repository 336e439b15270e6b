"""A service whose clock goes its own ways: clock changes, a leap day, a clock set wrongly, weeks without power.

The whole service has that clock, jobs and database included, by libfaketime; the simulated PACS has its own.
"""

from __future__ import annotations

import signal
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from crawler.testing.archive import Archive
from crawler.testing.simulator import Simulator, running
from tests.acceptance.serving import Serving, configure_jobs, serving, wait_until
from tests.acceptance.sweeping import ask

if TYPE_CHECKING:
    from tests.faults.queued import Queued

BERLIN = ZoneInfo("Europe/Berlin")
ARCHIVE = Archive(300, date(2024, 2, 1), date(2024, 11, 30), seed=3)
LOOKBACK = 3
NIGHTLY = f'[jobs.nightly]\nkind = "sweep"\ncron = "30 2 * * *"\nlookback_days = {LOOKBACK}\nreconcile_days = 0\n'


CACHED = 1
"""Seconds after which a process reads its clock's file anew."""


def pause(seconds: float) -> None:
    """Let others work."""
    time.sleep(seconds)


class Clock:
    """What the service takes for the time: so many seconds before or after ours."""

    def __init__(self, folder: Path, library: Path) -> None:
        self._file = folder / "clock"
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": str(CACHED),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # as the kernel's is when somebody sets the clock
        }

    def set(self, moment: datetime) -> None:
        beside = self._file.with_suffix(".new")
        beside.write_text(f"{moment.timestamp() - time.time():+.3f}\n")
        beside.replace(self._file)
        pause(CACHED + 0.1)


def local(text: str, fold: int = 0) -> datetime:
    """Read what the clock in Berlin shows; fold 1: for the second time that night."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold)


SHORT = (
    # what the clock shows, and the slot that is done then
    (local("2024-02-28 03:00"), "02-28 02:30"),
    (local("2024-02-29 03:00"), "02-29 02:30"),  # the leap day
    (local("2024-03-08 12:00"), "03-08 02:30"),  # a week without power: once
    (local("2024-03-07 12:00"), None),  # a day back
    (local("2024-03-31 01:59"), "03-30 02:30"),  # weeks without power: the night before
    (local("2024-03-31 03:31"), "03-31 03:30"),  # half past two was left out that night
    (local("2024-10-27 02:45"), "10-27 02:30"),
    (local("2024-10-27 02:45", fold=1), None),  # the hour comes once more
    (local("1970-01-02 03:00"), None),  # a machine that lost its clock
    (local("2024-10-29 03:00"), "10-29 02:30"),
)
MORE = (
    (local("2024-10-30 03:00"), "10-30 02:30"),
    (local("2024-10-30 02:10"), None),  # an hour back
    (local("2024-10-30 12:00"), None),  # and forth
    (local("2025-03-31 02:00"), "03-30 03:30"),
    (local("2025-10-26 02:29"), "10-25 02:30"),
    (local("2025-10-26 02:45"), "10-26 02:30"),
    (local("2025-10-26 02:15", fold=1), None),
    (local("2038-01-20 03:00"), "01-20 02:30"),  # beyond what 32 bits count
)


@pytest.fixture
def clock(tmp_path: Path, faketime: Path) -> Clock:
    return Clock(tmp_path, faketime)


def look_again(service: Serving) -> None:
    """Have it look at its clock now, and not within a quarter of a minute."""
    count = len(service.events("settings reloaded"))
    service.process.send_signal(signal.SIGHUP)
    service.wait_for("settings reloaded", count + 1)


def test_clock_changes(tmp_path: Path, clock: Clock, queued: Queued | None, long: bool) -> None:
    sharing = ("--queue", queued.postgres.new_database("clock")) if queued else ()
    steps = (*SHORT, *(MORE if long else ()))
    with running(Simulator(ARCHIVE)) as pacs:
        configure_jobs(tmp_path, {"main": pacs.port}, NIGHTLY, levels='["study"]')
        settings = tmp_path / "pacslake.toml"
        settings.write_text(settings.read_text() + '[local]\ntime_zone = "Europe/Berlin"\n')
        clock.set(local("2024-02-27 12:00"))
        nights = []
        with serving(tmp_path, *sharing, **clock.environment) as service:
            wait_until(lambda: (tmp_path / "lake" / "lake.duckdb").exists())
            for moment, slot in steps:
                clock.set(moment)
                look_again(service)
                if slot:
                    nights.append(moment)
                    service.wait_for("job ended", len(nights))
                assert len(service.events("job begins")) == len(nights), moment
            service.process.terminate()
            assert service.process.wait(30) == 0
    slots = [slot.replace(tzinfo=UTC).astimezone(BERLIN) for (slot,) in ask(tmp_path, DONE)]
    assert [f"{slot:%m-%d %H:%M}" for slot in slots] == [slot for _, slot in steps if slot]
    since = [night.astimezone(UTC).date() - timedelta(days=LOOKBACK) for night in nights]
    assert ask(tmp_path, "select date_from from sweeps order by started_at") == [(day,) for day in since]
    assert ask(tmp_path, "select count(*) from sweeps where state <> 'complete'") == [(0,)]


DONE = "select due_at from job_runs where state <> 'waiting' order by run"
