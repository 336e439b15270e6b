"""How long a job that did not get through is left alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from jobs.exits import Exit
from jobs.holds import NEVER, Holds

SLOT = datetime(2026, 3, 1, 22, tzinfo=UTC)


def test_a_job_is_tried_again_later_and_later_and_then_at_its_next_slot() -> None:
    holds, at, pauses = Holds(), 0.0, []
    for _ in range(4):
        pauses.append(holds.failed("nightly", SLOT, Exit.PARTIAL, at))
        assert holds.is_held("nightly", SLOT, at + min(pauses[-1], 1e9) - 1)
        at += pauses[-1]
    assert pauses == [300, 900, 2700, NEVER]
    assert holds.is_held("nightly", SLOT, 1e12)
    assert not holds.is_held("nightly", SLOT + timedelta(days=1), 0)
    assert holds.failed("nightly", SLOT + timedelta(days=1), -9, 0) == 300


def test_waiting_for_the_lake_or_for_allowed_hours_is_no_failure() -> None:
    holds = Holds()
    for _ in range(100):
        assert holds.failed("nightly", SLOT, Exit.LOCKED, 0) == 30
        assert holds.failed("nightly", SLOT, Exit.INTERRUPTED, 0) == 300
    assert holds.failed("nightly", SLOT, Exit.ERROR, 0) == 300
    assert not holds.is_held("nightly", SLOT, 300)


def test_what_got_through_is_forgotten() -> None:
    holds = Holds()
    holds.failed("nightly", SLOT, Exit.PARTIAL, 0)
    holds.release("nightly")
    assert not holds.is_held("nightly", SLOT, 1)
    holds.failed("nightly", SLOT, Exit.PARTIAL, 0)
    holds.clear()
    assert not holds.is_held("nightly", SLOT, 1)
