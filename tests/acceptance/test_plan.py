"""`pacslake plan`: what a night will ask, and when it is done, by what earlier answers took and by the limits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crawler.testing.archive import Archive
from crawler.testing.simulator import Simulator, running
from tests.acceptance.installed import pacslake
from tests.acceptance.sweeping import configure, said, sweep

TODAY = date.today()
ARCHIVE = Archive(300, TODAY - timedelta(days=60), TODAY - timedelta(days=2), seed=5, series_per_study=2)
OPENING = f"{(datetime.now(UTC).hour + 12) % 24:02}"
HOURS = f'"{OPENING}:00-{OPENING}:01"'
HOURS = f"{{ weekdays = {HOURS}, saturday = {HOURS}, sunday = {HOURS} }}"
"""A minute a day, and not this one."""
JOB = '[jobs.nightly]\nkind = "sweep"\ncron = "0 22 * * *"\nlookback_days = 10\nreconcile_days = 20\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("plan")
    with running(Simulator(ARCHIVE)) as pacs:
        configure(folder, {"main": pacs.port})
        (folder / "unlimited").write_bytes((folder / "pacslake.toml").read_bytes())
        done = sweep(folder, "--from", str(TODAY - timedelta(days=80)))
        assert done.returncode == 0, said(done)
        yield folder


def planned(folder: Path, *arguments: str, more: str = "") -> dict[str, Any]:
    (folder / "pacslake.toml").write_text((folder / "unlimited").read_text() + more)
    done = pacslake(folder, "plan", *arguments, "--format", "json")
    assert done.returncode == 0, said(done)
    [plan] = json.loads(done.stdout)["plans"]
    return dict(plan)


def test_a_night_asks_for_the_last_days_and_a_share_of_the_others(folder: Path) -> None:
    plan = planned(folder, "main")
    assert [part["what"][:5] for part in plan["parts"]] == ["from ", "again"]
    queries = plan["queries"]
    assert queries["study"] >= 2
    assert 20 < queries["series"] < 200
    assert plan["known"]
    short = planned(folder, more=JOB.replace("= 10", "= 2").replace("= 20", "= 5"))
    assert short["queries"]["study"] >= len(short["parts"])  # a part of few days is a query too


def test_limits_and_hours_say_how_long_it_takes(folder: Path) -> None:
    free = planned(folder, "main")
    queries = sum(sum(part["queries"].values()) for part in free["parts"])
    limited = planned(folder, "main", more="max_queries_per_minute = 30\n")
    assert queries < limited["seconds"] < 2.2 * queries  # each part is rounded up
    begins, ends = (datetime.fromisoformat(limited[name]) for name in ("begins", "ends"))
    assert abs((ends - begins).total_seconds() - limited["seconds"]) <= 2
    tight = planned(folder, "main", more=f"max_queries_per_minute = 30\nallowed_hours = {HOURS}\n")
    begins, ends = (datetime.fromisoformat(tight[name]) for name in ("begins", "ends"))
    assert f"{begins:%H:%M:%S}" == f"{OPENING}:00:00"
    assert (ends - begins).days == (tight["seconds"] - 1) // 60
    slow = planned(folder, "main", more="duty_cycle = 0.001\n")
    assert slow["seconds"] > free["seconds"]


def test_a_job_begins_when_the_clock_says(folder: Path) -> None:
    plan = planned(folder, more=JOB)
    assert plan["job"] == "nightly"
    assert plan["begins"][11:] == "22:00:00+00:00"
    assert plan["parts"][0]["what"] in {f"from {TODAY - timedelta(days=days)}" for days in (9, 10)}  # past midnight
    lines = pacslake(folder, "plan", "nightly").stdout.decode().splitlines()
    assert lines[0] == "main, job nightly"
    assert lines[1].split() == ["asked", "for", "study", "series"]
    assert "queries in 0:0" in lines[-2]
    assert lines[-1].startswith("  from 20")


def test_what_was_never_asked_cannot_be_planned(folder: Path) -> None:
    (folder / "pacslake.toml").write_text(
        (folder / "unlimited").read_text() + '[pacs.new]\nhost = "h"\nport = 1\nae_title = "X"\n'
    )
    done = pacslake(folder, "plan", "new")
    assert done.stdout.decode() == (
        "new, a night\n  It was never asked, so nothing tells how long a night takes; type: pacslake sweep new\n"
    )
    done = pacslake(folder, "plan", "nwe")
    assert (done.returncode, said(done)) == (
        2,
        "pacslake: there is no PACS and no job that sweeps named 'nwe'; did you mean 'new'?\n",
    )
