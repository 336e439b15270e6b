"""Jobs as several services share them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from crawler.errors import UserError
from crawler.settings import load
from jobs.scheduler import schedules_of
from jobs.units import alike, lock_of, shared

PACS = '[pacs.{}]\nhost = "127.0.0.1"\nport = 104\nae_title = "A"\n'
JOB = '[jobs.{}]\nkind = "{}"\ninterval = "1d"\n'


def test_what_concerns_pacs_is_a_job_for_each(tmp_path: Path) -> None:
    jobs = (
        JOB.format("nightly", "sweep") + JOB.format("look", "check") + 'pacs = ["b"]\n' + JOB.format("up", "maintain")
    )
    (tmp_path / "s.toml").write_text('[lake]\npath = "lake"\n' + PACS.format("a") + PACS.format("b") + jobs)
    settings = shared(load(tmp_path / "s.toml"))
    assert {name: job.pacs for name, job in settings.jobs.items()} == {
        "nightly:a": ("a",),
        "nightly:b": ("b",),
        "look:b": ("b",),
        "up": (),
    }
    assert [lock_of(settings, name) for name in settings.jobs] == ["a", "b", "b", "(lake)"]


def test_a_name_that_the_queue_cannot_hold_is_refused(tmp_path: Path) -> None:
    text = '[lake]\npath = "lake"\n' + PACS.format("p" * 64) + JOB.format("j" * 64, "sweep")
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(UserError, match="it is longer than 128 characters"):
        shared(load(tmp_path / "s.toml"))


@pytest.mark.parametrize("kind", ["sweep", "reconcile"])
def test_what_sweeps_is_due_at_all_its_pacs_at_once_and_other_jobs_go_alone(tmp_path: Path, kind: str) -> None:
    jobs = JOB.format("nightly", kind) + 'jitter = "10h"\n' + JOB.format("a", "sweep") + JOB.format("look", "check")
    (tmp_path / "s.toml").write_text('[lake]\npath = "lake"\n' + PACS.format("a") + PACS.format("b") + jobs)
    settings = shared(load(tmp_path / "s.toml"))
    assert alike(settings, "nightly:b") == ["nightly:a", "nightly:b"]
    assert [alike(settings, name) for name in ("look:a", "(lake)")] == [[], []]
    delays = {one.job: one.delay for one in schedules_of(settings)}
    assert delays["nightly:a"] == delays["nightly:b"] > timedelta()
