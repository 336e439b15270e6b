"""What is written down of jobs that are done at once, and when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crawler.model import JobRun
from crawler.settings import load
from jobs.exits import Exit
from jobs.runs import Runs
from jobs.units import shared
from jobs.worker import Order

SLOT = datetime(2026, 3, 1, 22, tzinfo=UTC)
PACS = '[pacs.{}]\nhost = "127.0.0.1"\nport = 104\nae_title = "A"\n'


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    text = '[lake]\npath = "lake"\n[jobs.nightly]\nkind = "sweep"\ninterval = "1d"\n' + "".join(map(PACS.format, "abc"))
    (tmp_path / "s.toml").write_text(text)
    return Runs(Order(shared(load(tmp_path / "s.toml")), SLOT, "nightly:a", {"nightly:b": SLOT, "nightly:c": SLOT}))


def states(written: Sequence[JobRun]) -> dict[str, str]:
    return {run.job.removeprefix("nightly:"): run.state.value for run in written}


def test_each_pacs_is_written_down_when_it_is_through_and_the_last_at_the_end(runs: Runs) -> None:
    assert runs.job.pacs == ("a", "b", "c")
    assert states(runs.over("b", Exit.CAPPED)) == {"b": "capped"}
    assert states(runs.over("a", Exit.PARTIAL)) == {"a": "partial"}
    assert states(runs.over("c", Exit.OK)) == {}
    code, rest = runs.rest(Exit.PARTIAL, None)
    assert (code, states(rest)) == (Exit.PARTIAL, {"c": "complete"})


def test_nothing_is_written_down_of_what_was_interrupted_or_not_begun(runs: Runs) -> None:
    runs.over("b", Exit.OK)
    runs.over("c", Exit.INTERRUPTED)
    assert runs.rest(Exit.PARTIAL, None) == (Exit.INTERRUPTED, [])


def test_what_cannot_be_published_has_failed_although_its_pacs_was_through(runs: Runs) -> None:
    runs.over("a", Exit.OK)
    runs.over("b", Exit.OK)
    runs.over("c", Exit.OK)
    code, rest = runs.rest(Exit.ERROR, "The disk is full")
    assert (code, states(rest)) == (Exit.ERROR, {"c": "failed"})
    assert [run.reason for run in rest] == ["The disk is full"]
