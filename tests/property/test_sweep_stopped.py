"""A sweep that was stopped, killed or left by the PACS, and goes on in another process.

What it lacks is on record all the same, and once nothing fails any more nothing is missing. `make test` draws the same
schedules of faults each time, PACSLAKE_SCHEDULES so many others.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from crawler.model import Coverage, Level, Window, WindowState
from crawler.plan.answers import Accept, Known, Retry, Split
from crawler.plan.coverage import covered, days_by_hours
from crawler.plan.doubts import UNTIMED
from crawler.plan.spans import span_of
from crawler.plan.sweep import SweepMachine
from tests.property.test_sweep_machine import FIRST, TODAY, archives, crowd, looks_whole, pacs
from tests.property.toy_pacs import Study, Swept, ToyPacs

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
CROWDED = [Study(uid, FIRST.toordinal() + 9, None if uid % 4 == 0 else 1_000 * uid) for uid in range(60)]


@dataclass
class Process:
    """Drives a machine from the rows of the ledger that an earlier process left, as a crawl does."""

    toy: ToyPacs
    whole: bool
    ledger: list[Coverage] = field(default_factory=list)
    found: set[Study] = field(default_factory=set)
    machine: SweepMachine = field(init=False)

    def begin(self, known: Known) -> None:
        """Go on, with what is known of the PACS."""
        rows = standing(self.ledger)
        done = covered(rows, [Level.STUDY], NOW)
        counts = {row.window: row.rows for row in rows if row.window in done and row.window.key is None}
        busy = tuple(window for window, rows in counts.items() if rows and not window.time_from)
        known = Known(known.cap, known.unsupported, known.always_timed, busy, days_by_hours(done, rows), counts)
        days: tuple[date | None, date | None] = (None, None) if self.whole else (FIRST, TODAY)
        self.machine = SweepMachine(*days, TODAY, done, 50, sum(counts.values()), known)

    def run(self, most: int, *, killed: bool = False) -> None:
        """Ask until the end, or so often; one that is killed says nothing of its doubts."""
        while most and (ask := self.machine.next()) is not None:
            most -= 1
            while True:
                answer, came = self.toy.answer(ask)
                self.found.update(came)
                verdict = self.machine.answered(ask, answer)
                if not isinstance(verdict, Retry):
                    break
            if not isinstance(verdict, Split):
                self._write(
                    [(ask.window, verdict)], answer.sight.undated if ask.window.undated else answer.sight.inside
                )
            self._write(self.machine.take_notes())
        if not killed:
            self._write(self.machine.take_notes(over=True))

    def _write(self, notes: list[tuple[Window, Accept]], rows: int = 0) -> None:
        for window, verdict in notes:
            row = Coverage("main", Level.STUDY, window, verdict.state, rows=rows, sweep_id="s", asked_at=NOW, took_ms=0)
            self.ledger.append(row)


def standing(ledger: list[Coverage]) -> list[Coverage]:
    """Give what is complete and was not doubted later, as `complete_windows` does of a sweep that is not over."""
    return [
        row
        for at, row in enumerate(ledger)
        if row.state is WindowState.COMPLETE and not any(doubts(later, row) for later in ledger[at + 1 :])
    ]


def doubts(later: Coverage, row: Coverage) -> bool:
    if later.state is WindowState.COMPLETE or later.window.time_from:
        return False
    if later.window.key is not None and (later.window.key, row.window.key) != (UNTIMED, UNTIMED):
        return False
    one, other = span_of(later.window), span_of(row.window)
    return row.window.key in (None, UNTIMED) and one.first <= other.last and other.first <= one.last


def assert_on_record(process: Process) -> None:
    swept = Swept(process.found, [(row.window, Accept(row.state)) for row in process.ledger])
    for study in set(process.toy.studies) - process.found:
        assert not swept.is_proven(study), study


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(pacs, st.booleans(), st.lists(st.integers(1, 30), min_size=1, max_size=2))
@example(ToyPacs(CROWDED, cap=20), False, [8])
@example(ToyPacs(CROWDED, cap=20), False, [7, 3])
def test_what_a_stopped_sweep_lacks_is_on_record(toy: ToyPacs, whole: bool, stops: list[int]) -> None:
    assume(not looks_whole(toy))
    process, known = Process(toy, whole), Known()
    for most in (*stops, -1):
        process.begin(known)
        process.run(most)
        known = process.machine.found_out
        assume(most < 0 or not process.machine.finished)
        assert_on_record(process)


@pytest.mark.parametrize("most", range(1, 16))
def test_what_a_killed_sweep_lacks_is_on_record_when_it_went_on(most: int) -> None:
    process = Process(ToyPacs(CROWDED, cap=20), False)
    process.begin(Known())
    process.run(most, killed=True)
    process.begin(Known())
    process.run(-1)
    assert_on_record(process)


@dataclass(frozen=True)
class Fault:
    """What happens to one sweep: which of its questions the PACS drops, and when it is stopped or killed."""

    lost: frozenset[int] = frozenset()
    most: int = -1
    killed: bool = False


faults = st.builds(
    Fault,
    st.one_of(
        st.frozensets(st.integers(1, 60), max_size=20),
        st.tuples(st.integers(1, 40), st.integers(1, 40)).map(lambda some: frozenset(range(some[0], sum(some)))),
    ),
    st.sampled_from((-1, -1, 1, 2, 5, 10, 20)),
    st.booleans(),
)
SCHEDULES = os.environ.get("PACSLAKE_SCHEDULES")


@settings(max_examples=int(SCHEDULES or 40), derandomize=SCHEDULES is None, suppress_health_check=list(HealthCheck))
@given(archives(), st.sampled_from((0, 0, 37, 100)), st.booleans(), st.lists(faults, min_size=1, max_size=4))
def test_once_nothing_fails_any_more_nothing_is_missing(
    studies: list[Study], cap: int, whole: bool, happening: list[Fault]
) -> None:
    assume(not cap or crowd(studies) < cap)
    toy = ToyPacs(studies, cap=cap)
    process, known = Process(toy, whole), Known()
    for fault in (*happening, Fault()):
        toy.lost = frozenset(toy.queries + number for number in fault.lost)
        process.begin(known)
        process.run(fault.most, killed=fault.killed)
        known = process.machine.found_out
        if fault.most < 0:
            assert_on_record(process)
    assert process.machine.finished
    assert process.found == set(studies)
