"""A service with ten PACS that fail now and then, for seconds here and for an hour by `make soak`.

Nothing of it grows, no limit is ever exceeded as the PACS count, and in the end the lake is right.
"""

from __future__ import annotations

import http.client
import os
import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from statistics import median

import pytest

from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.quirks import Failure, Quirks
from crawler.testing.simulator import Simulator, running
from tests.acceptance.installed import pacslake
from tests.acceptance.serving import Serving, configure_jobs, serving, wait_until
from tests.acceptance.sweeping import ask, differences

SECONDS = float(os.environ.get("PACSLAKE_SOAK_SECONDS", "10"))
LOOK_EVERY = min(5.0, SECONDS / 20)
PACS = [f"pacs{number}" for number in range(10)]
PER_MINUTE, ASSOCIATIONS = 30, 2
LAST = date.today() - timedelta(days=1)
ARCHIVES = {name: Archive(120, LAST - timedelta(days=29), LAST, seed=7 + place) for place, name in enumerate(PACS)}
ALLOCATOR = "jemalloc_bg_thd"
"""Threads that the allocator of Arrow begins when it likes, one a processor, are not ours to count."""
PATHS = ("/metrics", "/readyz", "/coverage?pacs=pacs3", "/health", "/sweeps", "/explore", "/api/v1/status")

JOBS = """
[jobs.sweeping]
kind = "sweep"
interval = "10s"
lookback_days = 5
reconcile_days = 3
[jobs.looking]
kind = "check"
pacs = ["pacs1"]
interval = "5m"
[jobs.upkeep]
kind = "maintain"
interval = "3m"
"""


@dataclass(frozen=True)
class Sample:
    """What the service's own process holds."""

    memory: int
    threads: int
    descriptors: int
    children: int


def sample(pid: int) -> Sample:
    process = Path("/proc") / str(pid)
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    tasks = list((process / "task").iterdir())
    children = [one for task in tasks for one in (task / "children").read_text().split()]
    threads = sum((task / "comm").read_text().strip() != ALLOCATOR for task in tasks)
    descriptors = len(list((process / "fd").iterdir()))
    return Sample(int(status["VmRSS"].split()[0]), threads, descriptors, len(children))


def busiest_minute(pacs: Simulator) -> int:
    """Count the queries of the 60 seconds in which most of them came."""
    came = sorted(begin for begin, _ in pacs.counts.under_way)
    return max((bisect_left(came, begin + 60.0) - place for place, begin in enumerate(came)), default=0)


@pytest.fixture
def pacs() -> Iterator[dict[str, Simulator]]:
    kinds = list(Failure)
    with ExitStack() as stack:
        found = {}
        for place, name in enumerate(PACS):
            quirks = Quirks(
                fails_after=0, fails_one_in=20, failure=kinds[place % len(kinds)], latency=0.005, jitter=0.02
            )
            found[name] = stack.enter_context(running(Simulator(ARCHIVES[name], quirks=quirks)))
        yield found


def trouble(port: int, path: str) -> str | None:
    """Fetch a page; say what it said instead when it is not right."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read().decode()
        return None if answer.status == 200 else f"{path}: {answer.status} {text}"


def watch(service: Serving, pacs: dict[str, Simulator]) -> list[Sample]:
    """Look at its pages and at its process for as long as the soak lasts, from its first query on."""
    port = service.wait_for("listening")["port"]
    wait_until(lambda: trouble(port, "/readyz") is None)  # its first job makes the lake
    wait_until(lambda: any(one.counts.queries for one in pacs.values()))  # upkeep may be due before
    samples, until = [], time.monotonic() + SECONDS
    while time.monotonic() < until:
        assert [said for path in PATHS if (said := trouble(port, path))] == []
        samples.append(sample(service.process.pid))
        time.sleep(LOOK_EVERY)
    return samples


def test_nothing_grows_and_no_limit_is_exceeded(tmp_path: Path, pacs: dict[str, Simulator]) -> None:
    ports = {name: one.port for name, one in pacs.items()}
    limits = {"max_queries_per_minute": PER_MINUTE, "max_associations": ASSOCIATIONS, "idle_timeout": 3}
    configure_jobs(tmp_path, ports, JOBS, **limits)
    with serving(tmp_path) as service:
        samples = watch(service, pacs)
        service.process.terminate()
        assert service.process.wait(30) == 0
    early, late = samples[len(samples) // 4 : len(samples) // 2], samples[-len(samples) // 4 :]
    for name, slack in (("memory", 16_000), ("threads", 2), ("descriptors", 4), ("children", 1)):
        before, after = (median(getattr(one, name) for one in part) for part in (early, late))
        print(f"{name}: {before:.0f} before, {after:.0f} after, {max(getattr(one, name) for one in samples)} at most")
        assert after <= before + slack, name
    for name, one in pacs.items():
        print(f"{name}: {sum(one.counts.queries.values())} queries, {busiest_minute(one)} in a minute")
        assert one.peak_associations <= ASSOCIATIONS
        assert busiest_minute(one) <= PER_MINUTE
    assert not [said for said in service.said if said["level"] == "error" and "unexpected" in said["event"]]
    assert not service.events("job did not get through", exit_code=1, job="upkeep")
    configure_jobs(tmp_path, ports, "")
    _mend(tmp_path, pacs)


def _mend(folder: Path, pacs: dict[str, Simulator]) -> None:
    """Sweep what faults left open, now that none comes any more; then the lake is the archives."""
    for one in pacs.values():
        one.quirks = Quirks()
    for name in PACS:
        pacslake(folder, "pacs", "resume", name)
    first = min(archive.first for archive in ARCHIVES.values())
    done = pacslake(folder, "sweep", "--from", str(first), "--to", str(LAST), "--restart")
    assert done.returncode == 0, done.stderr.decode()
    for name, archive in ARCHIVES.items():
        assert differences(folder, name, Level.STUDY, archive) == []
        assert differences(folder, name, Level.SERIES, archive) == []
    assert ask(folder, "select count(*) from studies where removed_at is not null") == [(0,)]
    assert pacslake(folder, "verify").returncode == 0
