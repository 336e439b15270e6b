"""When a service lets go of what it does, and what it reads out of the queue."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from crawler.queue.tasks import BEAT, LAST, LET_GO, SILENCE, Holder, Lease, Task, Word

TEN_SECONDS = 10.0
"""In which a job that is told to end has ended, or is killed."""


def test_who_is_not_heard_has_ended_its_job_before_another_may_take_it() -> None:
    lease = Lease(at=0.0)
    assert lease.word(LET_GO - 0.1) is Word.GO_ON
    assert lease.word(LET_GO) is Word.END
    assert lease.word(LAST) is Word.DROP
    assert LET_GO + TEN_SECONDS <= LAST < SILENCE


def test_a_sign_of_life_counts_from_when_it_was_sent() -> None:
    lease = Lease(at=0.0)
    lease.renewed(sent=10.0)
    assert lease.word(LET_GO + 9.9) is Word.GO_ON
    assert lease.word(LET_GO + 10.0) is Word.END


def test_one_lost_sign_of_life_ends_nothing() -> None:
    assert 2 * BEAT < LET_GO


def test_a_task_is_read_with_those_who_lost_it() -> None:
    args = {"name": "nightly:main", "slot": "2026-03-01T22:00:00+00:00", "lost": [{"host": "a", "pid": 7}]}
    assert Task.of({"id": 1, "args": args}) == Task(
        1, "nightly:main", datetime(2026, 3, 1, 22, tzinfo=UTC), 0, (Holder("a", 7),)
    )


@pytest.mark.parametrize("args", [{}, {"name": "n", "slot": "soon"}, {"name": "n", "slot": 7}])
def test_what_is_no_task_is_told(args: dict[str, object]) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        Task.of({"id": 1, "args": args})


def test_a_holder_is_known_by_its_whole_number() -> None:
    text = "process 71 on crawl1 since 2026-03-01 22:00:00 UTC\n"
    assert Holder("crawl1", 71).is_named_in(text)
    assert not Holder("crawl1", 7).is_named_in(text)
    assert not Holder("crawl", 71).is_named_in(text)
