"""The sweep machine asks for every day once, whatever the PACS answers, and stops."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from crawler.model import UNDATED, Outcome, Window, WindowState
from crawler.plan.days import BEGINNING, END, Days, days_of, subtract
from crawler.plan.sweep import Accept, Answer, Retry, SweepMachine, halves

TODAY = date(2024, 6, 1)
FAR = 40_000
"""A bound that no plan below comes near: reaching it means that the machine does not end."""


def drive(machine: SweepMachine, reply: Callable[[Window], Answer]) -> list[tuple[Window, Accept]]:
    """Answer every window at once until the machine is finished; give what it accepted."""
    accepted = []
    for _ in range(FAR):
        window = machine.next()
        if window is None:
            break
        while isinstance(verdict := machine.answered(window, reply(window)), Retry):
            pass
        if isinstance(verdict, Accept):
            accepted.append((window, verdict))
    assert machine.finished
    return accepted


def days(windows: list[Window]) -> list[Days]:
    return [days_of(one.date_from, one.date_to) for one in windows]


spans = st.tuples(st.integers(-900, 60), st.integers(-900, 60)).map(
    lambda ends: (TODAY + timedelta(days=min(ends)), TODAY + timedelta(days=max(ends)))
)
open_spans = st.one_of(
    spans,
    spans.map(lambda span: (None, span[1])),
    spans.map(lambda span: (span[0], None)),
    st.just((None, None)),
)


@given(open_spans, st.integers(0, 400), st.integers(1, 1000))
def test_every_day_is_asked_for_exactly_once(
    span: tuple[date | None, date | None], rows_a_day: int, target: int
) -> None:
    machine = SweepMachine(*span, today=TODAY, target_rows=target)

    def reply(window: Window) -> Answer:
        return Answer(Outcome.SUCCESS, rows_a_day * min(days_of(window.date_from, window.date_to).length, 500))

    accepted = [window for window, _ in drive(machine, reply)]
    assert [window.undated for window in accepted].count(True) == (span == (None, None))
    asked = days([window for window in accepted if not window.undated])
    assert subtract(days_of(*span), asked) == []
    ordered = sorted(asked)
    assert all(one.last < other.first for one, other in pairwise(ordered))


@given(spans, st.integers(1, 300), st.integers(0, 40))
def test_a_pacs_that_refuses_large_answers_is_asked_for_less_until_it_answers(
    span: tuple[date, date], cap: int, rows_a_day: int
) -> None:
    machine = SweepMachine(*span, today=TODAY)

    def reply(window: Window) -> Answer:
        rows = rows_a_day * days_of(window.date_from, window.date_to).length
        return Answer(Outcome.TOO_MANY) if rows > cap else Answer(Outcome.SUCCESS, rows)

    accepted = drive(machine, reply)
    if rows_a_day <= cap:
        assert subtract(days_of(*span), days([window for window, _ in accepted])) == []
        assert {verdict.state for _, verdict in accepted} == {WindowState.COMPLETE}
    else:
        assert WindowState.COMPLETE not in {verdict.state for window, verdict in accepted}


@given(spans, st.lists(spans, max_size=4))
def test_what_is_covered_is_not_asked_again(span: tuple[date, date], done: list[tuple[date, date]]) -> None:
    covered = [Window(*one) for one in done]
    machine = SweepMachine(*span, today=TODAY, covered=covered)
    asked = days([window for window, _ in drive(machine, lambda _: Answer(Outcome.SUCCESS, 1))])
    due = subtract(days_of(*span), days(covered))
    assert [part for gap in due for part in subtract(gap, asked)] == []
    assert all(subtract(one, days(covered)) == [one] for one in asked)


@given(spans, st.integers(1, 300), st.integers(0, 40))
def test_answers_at_a_known_cap_are_not_believed(span: tuple[date, date], cap: int, rows_a_day: int) -> None:
    machine = SweepMachine(*span, today=TODAY, cap=cap)

    def reply(window: Window) -> Answer:
        return Answer(Outcome.SUCCESS, min(cap, rows_a_day * days_of(window.date_from, window.date_to).length))

    states = {verdict.state for _, verdict in drive(machine, reply)}
    assert states == {WindowState.COMPLETE if rows_a_day < cap else WindowState.CAPPED}


def test_a_lost_association_is_retried_and_then_recorded_as_interrupted() -> None:
    machine = SweepMachine(TODAY, TODAY, today=TODAY)
    window = machine.next()
    assert window is not None
    lost = Answer(Outcome.INTERRUPTED, 7)
    waits = [machine.answered(window, lost) for _ in range(3)]
    assert all(isinstance(verdict, Retry) for verdict in waits)
    assert machine.answered(window, lost) == Accept(WindowState.INTERRUPTED, "no final response")


def test_a_pacs_that_is_down_is_left_alone() -> None:
    machine = SweepMachine(None, None, today=TODAY)
    accepted = drive(machine, lambda _: Answer(Outcome.INTERRUPTED))
    assert machine.abandoned is not None
    assert len(accepted) == 5


def test_a_pacs_that_refuses_for_good_is_asked_once() -> None:
    machine = SweepMachine(None, None, today=TODAY)
    accepted = drive(machine, lambda _: Answer(Outcome.REFUSED))
    assert [verdict.state for _, verdict in accepted] == [WindowState.REFUSED]


def test_windows_grow_over_empty_years_so_that_an_empty_archive_costs_few_queries() -> None:
    accepted = drive(SweepMachine(None, None, today=TODAY), lambda _: Answer(Outcome.SUCCESS, 0))
    assert len(accepted) < 15


def test_undated_studies_come_last_and_a_short_answer_proves_the_cap() -> None:
    def capped(window: Window) -> Answer:
        return Answer(Outcome.SUCCESS, 500 if window.undated or window.date_from == TODAY else 10)

    accepted = drive(SweepMachine(None, None, today=TODAY), capped)
    window, verdict = accepted[-1]
    assert window == UNDATED
    assert verdict.state is WindowState.CAPPED
    assert {one.state for _, one in accepted[:-1]} == {WindowState.COMPLETE}


def test_undated_studies_wait_for_every_day_to_be_settled() -> None:
    machine = SweepMachine(None, None, today=TODAY)
    handed_out = []
    while (window := machine.next()) is not None:
        handed_out.append(window)
    assert UNDATED not in handed_out
    for window in handed_out:
        machine.answered(window, Answer(Outcome.SUCCESS, 0))
    assert machine.next() == UNDATED


@given(open_spans)
def test_halves_are_disjoint_and_make_the_whole(span: tuple[date | None, date | None]) -> None:
    window = Window(*span)
    parts = halves(window, TODAY)
    if parts:
        older, newer = days(list(parts))
        assert older.last + 1 == newer.first
        assert Days(older.first, newer.last) == days_of(*span)


def test_the_ends_of_time_are_not_split_without_end() -> None:
    part: Window | None = Window(None, None)
    for _ in range(20_000):
        parts = halves(part, TODAY) if part else ()
        part = parts[0] if parts else None
    assert part is None
    assert days_of(None, None) == Days(BEGINNING, END)
