"""The sweep machine finds every study of a toy PACS, or says where it may not have, and stops."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import combinations_with_replacement

import pytest
from hypothesis import HealthCheck, assume, event, example, given, settings
from hypothesis import strategies as st

from crawler.model import UNDATED, Outcome, Window, WindowState
from crawler.plan.answers import Accept, Answer, Ask, Known, Retry
from crawler.plan.doubts import UNTIMED
from crawler.plan.spans import DAY, span_of
from crawler.plan.sweep import SweepMachine
from tests.property.toy_pacs import Study, ToyPacs, sweep

TODAY = date(2024, 6, 1)
FIRST = TODAY - timedelta(days=59)

seconds = st.one_of(st.integers(0, DAY - 1), st.sampled_from([0, 1, DAY - 1, 36_000, 36_001]))
PATIENTS = ["1", "2", "A7", "", "é"]
MODALITIES = ["CT", "MR", "US", "", "XYZ"]


@st.composite
def archives(draw: st.DrawFn, *, timed: bool = True) -> list[Study]:
    """Days of very different business, some of them crowded into one hour, some studies without date or time."""
    studies: list[tuple[int | None, int | None]] = []
    for _ in range(draw(st.integers(0, 6))):
        day = (FIRST + timedelta(days=draw(st.integers(0, 59)))).toordinal()
        count = draw(st.sampled_from([1, 2, 7, 30, 120]))
        begin, step = draw(seconds), draw(st.sampled_from([0, 1, 60, 600]))
        studies += [(day, (begin + number * step) % DAY) for number in range(count)]
    if not timed:
        every = draw(st.sampled_from([1, 3, 10, 50]))
        untimed: list[tuple[int | None, int | None]] = [(day, None) for day, _ in studies[::every]]
        studies = [*studies, *untimed] if every > 1 else untimed
        studies += [(None, None)] * draw(st.integers(0, 5))
    turn = draw(st.integers(1, 7))
    return [
        Study(uid, day, second, MODALITIES[uid % turn % len(MODALITIES)], PATIENTS[uid * turn % len(PATIENTS)])
        for uid, (day, second) in enumerate(studies)
    ]


pacs = st.builds(
    ToyPacs,
    archives(timed=False),
    cap=st.sampled_from([0, 0, 10, 20, 37, 100]),
    over_cap=st.sampled_from([Outcome.SUCCESS, Outcome.SUCCESS, Outcome.TOO_MANY, Outcome.FAILED, Outcome.CANCELLED]),
    ignores=st.sets(st.sampled_from(["StudyDate", "StudyTime", "ModalitiesInStudy", "PatientID"]), max_size=2).map(
        frozenset
    ),
    ignores_ranges=st.booleans(),
    exclusive_ends=st.booleans(),
    undated_always=st.booleans(),
    untimed_always=st.booleans(),
    zero_over_cap=st.booleans(),
    omits_times=st.sampled_from([False, False, True]),
    lost=st.frozensets(st.integers(1, 60), max_size=4),
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(pacs, st.booleans())
def test_no_study_is_missing_where_the_ledger_says_complete(toy: ToyPacs, whole: bool) -> None:
    assume(not looks_whole(toy))
    machine = SweepMachine(None if whole else FIRST, None if whole else TODAY, TODAY, target_rows=50)
    swept = sweep(machine, toy)
    missing = [study for study in toy.studies if study not in swept.found]
    event("missing" if missing else "exact")
    for study in missing:
        assert not swept.is_proven(study), study
        was_due = whole or study.day is not None
        assert swept.is_on_record(study) or machine.abandoned or not was_due, study


def looks_whole(toy: ToyPacs) -> bool:
    """Say whether adjacent days have just as many studies with a time as the cap lets through, and some without.

    Then nothing tells the answer from a whole one.
    """
    days = sorted({study.day for study in toy.studies if study.day is not None})
    for first, last in combinations_with_replacement(days, 2):
        times = [study.second for study in toy.studies if study.day is not None and first <= study.day <= last]
        if None in times and sum(second is not None for second in times) == toy.cap:
            return True
    return False


def crowd(studies: list[Study]) -> int:
    """Count the studies that share three seconds at most: what no window can tell apart."""
    moments = sorted(study.day * DAY + study.second for study in studies if study.day and study.second is not None)
    return max((sum(0 <= other - one <= 2 for other in moments) for one in moments), default=0)


@settings(max_examples=60)
@given(
    archives(),
    st.sampled_from([0, 10, 37, 100]),
    st.sampled_from([Outcome.SUCCESS, Outcome.TOO_MANY, Outcome.CANCELLED]),
    st.booleans(),
)
def test_a_silent_cap_or_a_refusal_costs_no_study(
    studies: list[Study], cap: int, ended: Outcome, exclusive: bool
) -> None:
    toy = ToyPacs(studies, cap=cap, over_cap=ended, exclusive_ends=exclusive)
    swept = sweep(SweepMachine(FIRST, TODAY, TODAY, target_rows=50), toy)
    if not cap or crowd(studies) < cap:
        assert swept.found == set(studies)


@given(archives(), st.sampled_from([0, 10, 37]), st.integers(1, 4))
def test_what_is_empty_is_proven_so_at_a_pacs_that_says_what_it_has(studies: list[Study], cap: int, step: int) -> None:
    toy = ToyPacs([*quiet_days(60)[::step], *studies], cap=cap)
    swept = sweep(SweepMachine(FIRST, TODAY, TODAY, target_rows=50), toy)
    assert WindowState.SUSPICIOUS_ZERO not in {verdict.state for _, verdict in swept.ledger}


def test_an_answer_like_one_that_could_not_be_tested_is_doubted_too() -> None:
    quiet, crowded = TODAY.toordinal() - 3, TODAY.toordinal() - 8
    studies = [Study(uid, crowded, 28_800) for uid in range(60)]
    studies += [Study(100 + uid, quiet, uid * 8000) for uid in range(10)]
    cut_off = Study(200, quiet, None)
    swept = sweep(SweepMachine(None, None, TODAY, target_rows=50), ToyPacs([*studies, cut_off], cap=10))
    assert cut_off not in swept.found
    assert not swept.is_proven(cut_off)


def busy_day(count: int) -> list[Study]:
    """A day as departments have it: most of it between eight and six."""
    day = TODAY.toordinal()
    return [Study(uid, day, 8 * 3600 + uid * 36_000 // count) for uid in range(count)]


def test_a_crowded_day_behind_a_silent_cap_is_exact_and_costs_little() -> None:
    toy = ToyPacs(busy_day(26_000), cap=500)
    swept = sweep(SweepMachine(TODAY, TODAY, TODAY), toy)
    assert len(swept.found) == 26_000
    *hours, (day, doubt) = swept.ledger
    assert {verdict.state for _, verdict in hours} == {WindowState.COMPLETE}
    assert (day, doubt.state) == (Window(TODAY, TODAY, key=UNTIMED), WindowState.CAPPED)
    assert toy.queries <= 3 * 26_000 // 500


def test_studies_that_come_with_all_hours_do_not_make_these_small() -> None:
    untimed = [Study(-number, TODAY.toordinal(), None) for number in range(1, 8)]
    toy = ToyPacs([*untimed, *busy_day(100)], cap=10, untimed_always=True)
    swept = sweep(SweepMachine(TODAY, TODAY, TODAY), toy)
    assert len(swept.found) == 107
    assert toy.queries < 250


def test_a_crowded_day_without_times_is_taken_apart_by_one_key_after_the_other() -> None:
    day = TODAY.toordinal()
    toy = ToyPacs([Study(uid, day, None, "CT", str(uid % 10)) for uid in range(40)], cap=10)
    swept = sweep(SweepMachine(TODAY, TODAY, TODAY, known=Known(cap=10)), toy)
    assert len(swept.found) == 40
    assert swept.ledger[-1][1].state is WindowState.CAPPED


def quiet_days(count: int) -> list[Study]:
    return [Study(-day, (FIRST + timedelta(days=day)).toordinal(), 36_000 + day) for day in range(count)]


@given(archives(), st.sampled_from([10, 37, 100]), st.integers(1, 60), st.booleans())
def test_no_study_is_missing_in_silence_where_too_much_is_answered_by_nothing(
    studies: list[Study], cap: int, quiet: int, exclusive: bool
) -> None:
    toy = ToyPacs([*quiet_days(quiet), *studies], cap=cap, zero_over_cap=True, exclusive_ends=exclusive)
    swept = sweep(SweepMachine(FIRST, TODAY, TODAY, target_rows=50), toy)
    assume(swept.found)  # where nothing at all was found, single days are believed to be empty
    for study in set(toy.studies) - swept.found:
        assert not swept.is_proven(study), study


def test_days_that_were_found_empty_and_are_not_are_tested_like_others() -> None:
    days = [None] * 8 + [date(2000, 1, 1)] * 3 + [date(2024, 1, 2), date(2024, 1, 5)]
    studies = [Study(number, day.toordinal() if day else None, 0 if day else None) for number, day in enumerate(days)]
    toy = ToyPacs(studies, cap=10, exclusive_ends=True, undated_always=True)
    swept = sweep(SweepMachine(None, None, date(2026, 11, 21)), toy)
    assert [study for study in studies if swept.is_proven(study) and study not in swept.found] == []
    assert toy.queries < 60


def test_undated_studies_that_fill_every_answer_hide_no_dated_one() -> None:
    """They come with every day, and first: dated studies are what the cap cuts off."""
    studies = [Study(number, None, number * 1400) for number in range(40)]
    studies += [Study(100 + at, TODAY.toordinal() - 4, at) for at in (30_000, 43_000, 55_000)]
    toy = ToyPacs(studies, cap=10, undated_always=True)
    swept = sweep(SweepMachine(TODAY - timedelta(days=4), TODAY, TODAY), toy)
    for study in studies:
        assert study.day is None or study in swept.found or not swept.is_proven(study), study
    assert toy.queries < 500


@given(
    st.integers(0, 60),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, DAY - 1)), max_size=30),
    st.booleans(),
)
@example(41, [(4, 0)], True)
def test_whatever_comes_with_every_day_hides_no_dated_study(
    undated: int, dated: list[tuple[int, int]], timed: bool
) -> None:
    studies = [Study(uid, None, uid * 1400 if timed else None) for uid in range(undated)]
    studies += [Study(100 + at, TODAY.toordinal() - 4 + day, second) for at, (day, second) in enumerate(dated)]
    toy = ToyPacs(studies, cap=10, undated_always=True)
    swept = sweep(SweepMachine(TODAY - timedelta(days=4), TODAY, TODAY), toy)
    for study in studies:
        assert study.day is None or study in swept.found or not swept.is_proven(study), study
    assert toy.queries < 500


@pytest.mark.parametrize(("timed", "untimed", "cap"), [(10, 0, 10), (30, 10, 37)])
def test_as_many_dated_studies_as_the_cap_lets_through_do_not_hide_the_undated(
    timed: int, untimed: int, cap: int
) -> None:
    """The answer for all has as many rows as the days had, which proves nothing if those were capped or are so many."""
    studies = [Study(uid, TODAY.toordinal() - 6, uid % 30) for uid in range(timed)]
    studies += [Study(100 + uid, TODAY.toordinal() - 6, None) for uid in range(untimed)]
    studies += [Study(200 + uid, None, None) for uid in range(3)]
    swept = sweep(SweepMachine(None, None, TODAY), ToyPacs(studies, cap=cap))
    for study in studies:
        assert study in swept.found or not swept.is_proven(study), study


def test_a_crowded_day_is_exact_where_too_much_is_answered_by_nothing() -> None:
    quiet = quiet_days(50)
    toy = ToyPacs([*quiet, *busy_day(1500)], cap=200, zero_over_cap=True)
    assert sweep(SweepMachine(FIRST, TODAY, TODAY), toy).found == set(toy.studies)
    assert toy.queries < 100


@pytest.mark.parametrize("first", [date(2000, 1, 1), None])
def test_an_archive_that_got_nothing_for_years_is_found_where_too_much_is_answered_by_nothing(
    first: date | None,
) -> None:
    last = date(2012, 5, 1).toordinal()
    studies = [Study(uid, last - uid // 17, 36_000 + uid % 17) for uid in range(400 * 17)]
    toy = ToyPacs(studies, cap=20, zero_over_cap=True)
    swept = sweep(SweepMachine(first, None if first is None else TODAY, TODAY), toy)
    assert swept.found
    assert not any(swept.is_proven(study) for study in set(studies) - swept.found)
    assert toy.queries < 1000


def test_a_known_cap_is_kept_clear_of_from_the_start() -> None:
    unknown, known = ToyPacs(busy_day(5000), cap=500), ToyPacs(busy_day(5000), cap=500)
    sweep(SweepMachine(TODAY, TODAY, TODAY), unknown)
    machine = SweepMachine(TODAY, TODAY, TODAY, known=Known(cap=500))
    assert len(sweep(machine, known).found) == 5000
    assert known.queries <= 2 * unknown.queries, "what is known from before is tested again, but not found out again"


def test_a_cap_is_learned_with_the_first_full_answer() -> None:
    machine = SweepMachine(TODAY, TODAY, TODAY)
    sweep(machine, ToyPacs(busy_day(2000), cap=137))
    assert machine.cap == 137


def test_a_cap_that_was_lifted_is_forgotten() -> None:
    machine = SweepMachine(FIRST, TODAY, TODAY, known=Known(cap=50))
    swept = sweep(machine, ToyPacs([Study(uid, TODAY.toordinal(), uid) for uid in range(400)]))
    assert len(swept.found) == 400
    assert machine.cap is None


@given(st.integers(1, 400), st.integers(1, 1000))
def test_every_day_is_asked_for_and_an_honest_pacs_costs_little(rows_a_day: int, target: int) -> None:
    days = range(FIRST.toordinal(), TODAY.toordinal() + 1)
    spread = DAY // max(rows_a_day, 1)
    studies = [Study(0, day, number * spread) for day in days[:10] for number in range(rows_a_day)]
    toy = ToyPacs(studies)
    swept = sweep(SweepMachine(FIRST, TODAY, TODAY, target_rows=target), toy)
    covered = {day for window, _ in swept.ledger for day in days if _touches(window, day)}
    assert covered == set(days)
    assert {verdict.state for _, verdict in swept.ledger} <= {WindowState.COMPLETE}
    assert swept.found == set(studies)


@pytest.mark.parametrize("exclusive", [False, True])
def test_undated_studies_that_come_with_every_empty_day_cost_a_bounded_number_of_queries(exclusive: bool) -> None:
    undated = [Study(uid, None, uid * 2100 % DAY) for uid in range(40)]
    toy = ToyPacs([*undated, *busy_day(96)], undated_always=True, exclusive_ends=exclusive)
    swept = sweep(SweepMachine(TODAY + timedelta(days=49), None, TODAY + timedelta(days=1000)), toy)
    assert toy.queries < 1000
    assert not any(swept.is_proven(study) for study in toy.studies if study not in swept.found)


def test_where_nothing_is_found_nothing_is_proven() -> None:
    toy = ToyPacs([])
    swept = sweep(SweepMachine(FIRST, TODAY, TODAY), toy)
    assert {verdict.state for _, verdict in swept.ledger} == {WindowState.SUSPICIOUS_ZERO}
    assert toy.queries < 500


def test_days_around_prove_that_empty_ones_are() -> None:
    toy = ToyPacs([Study(1, FIRST.toordinal() - 80, 0)])
    swept = sweep(SweepMachine(FIRST, TODAY, TODAY), toy)
    assert {verdict.state for _, verdict in swept.ledger} == {WindowState.COMPLETE}
    assert toy.queries < 10


def _touches(window: Window, day: int) -> bool:
    span = span_of(window)
    return span.first // DAY <= day <= span.last // DAY


def test_what_is_covered_is_not_asked_again() -> None:
    covered = [Window(TODAY - timedelta(days=9), TODAY), Window(FIRST, FIRST + timedelta(days=9))]
    swept = sweep(SweepMachine(FIRST, TODAY, TODAY, covered), ToyPacs([]))
    asked = {
        day
        for window, _ in swept.ledger
        for day in range(FIRST.toordinal(), TODAY.toordinal() + 1)
        if _touches(window, day)
    }
    assert min(asked) == FIRST.toordinal() + 10
    assert max(asked) == TODAY.toordinal() - 10


def test_a_lost_association_is_retried_and_then_recorded_as_interrupted() -> None:
    machine = SweepMachine(TODAY, TODAY, TODAY)
    ask = machine.next()
    assert ask is not None
    lost = Answer(Outcome.INTERRUPTED, 7)
    assert all(isinstance(machine.answered(ask, lost), Retry) for _ in range(3))
    assert machine.answered(ask, lost) == Accept(WindowState.INTERRUPTED, "no final response")


def test_a_pacs_that_is_down_is_left_alone() -> None:
    machine = SweepMachine(None, None, TODAY)
    toy = ToyPacs([], lost=frozenset(range(1, 1000)))
    swept = sweep(machine, toy)
    assert machine.abandoned is not None
    assert len(swept.ledger) == 5


def test_a_pacs_that_refuses_for_good_is_asked_once() -> None:
    machine = SweepMachine(None, None, TODAY)
    ask = machine.next()
    assert ask is not None
    verdict = machine.answered(ask, Answer(Outcome.REFUSED))
    assert verdict == Accept(WindowState.REFUSED, "refused")
    assert machine.next() is None
    assert machine.finished


def test_an_empty_archive_costs_a_bounded_number_of_queries() -> None:
    """It looks like one that answers nothing for too much, so that single days are looked at."""
    toy = ToyPacs([])
    sweep(SweepMachine(None, None, TODAY), toy)
    assert toy.queries < 1000


def test_undated_studies_come_last_and_a_short_answer_proves_the_cap() -> None:
    studies = [Study(uid, (TODAY - timedelta(days=uid % 40)).toordinal(), uid) for uid in range(400)]
    toy = ToyPacs(studies, cap=100)
    swept = sweep(SweepMachine(None, None, TODAY), toy)
    assert swept.found == set(studies)
    window, verdict = swept.ledger[-1]
    assert window == UNDATED
    assert verdict.state is WindowState.CAPPED


def test_undated_studies_wait_for_every_day_to_be_settled() -> None:
    machine = SweepMachine(None, None, TODAY)
    handed_out: list[Ask] = []
    while (ask := machine.next()) is not None:
        handed_out.append(ask)
    assert UNDATED not in [ask.window for ask in handed_out]


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 130), st.integers(100, 400), st.sampled_from([Outcome.SUCCESS, Outcome.TOO_MANY]), st.booleans())
def test_undated_studies_alone_are_proven_only_where_all_of_them_came(
    undated: int, cap: int, over: Outcome, nothing: bool
) -> None:
    days = [(TODAY - timedelta(days=uid % 40)).toordinal() if uid >= undated else None for uid in range(350)]
    studies = [Study(uid, day, None, patient=str(uid)) for uid, day in enumerate(days)]
    toy = ToyPacs(studies[::-1], cap=cap, over_cap=over, zero_over_cap=nothing)
    swept = sweep(SweepMachine(None, None, TODAY, dated=(350 - undated) * 9 // 10, undated_alone=True), toy)
    assert {window for window, _ in swept.ledger} <= {UNDATED}
    missing = [study for study in studies if study.day is None and study not in swept.found]
    assert not any(swept.is_proven(study) for study in missing)
    assert cap < 350 or not missing
