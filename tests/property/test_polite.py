"""The manners of a crawl: limits hold in any stretch of time, over restarts and clocks that go back too."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.plan.polite import (
    BACK_OFF,
    FAILURES,
    LONGEST_BACK_OFF,
    PATIENCE,
    PERMISSION,
    SLOWEST,
    STEP,
    TURN,
    Manners,
    Politeness,
    Standing,
    kind_of,
)

START = 1_700_000_000.0


def kept(standing: Standing) -> Standing:
    """Put on disk and take up again."""
    return Standing.of(json.loads(json.dumps(standing.as_values())))


def restarted(polite: Politeness) -> Politeness:
    return Politeness(polite.name, polite.manners, kept(polite.standing))


@given(st.integers(1, 400), st.lists(st.tuples(st.floats(0, 1), st.floats(0, 0.9), st.booleans()), max_size=600))
def test_no_minute_sees_more_queries_than_allowed(limit: int, tries: list[tuple[float, float, bool]]) -> None:
    """`tries`: seconds until the next attempt, the delay before it is sent, and whether the process is restarted."""
    polite, now, sent = Politeness("main", Manners(limit)), START, list[float]()
    for pause, delay, restart in tries:
        now += pause
        if restart:
            polite = restarted(polite)
        while (wait := polite.wait(now)) is None and len(sent) < 5000:
            polite.asked(now)
            sent.append(now + delay * PERMISSION * (polite.manners.at_once == 1))
            polite.answered(now, "study 1", 0.01)
        if wait is not None and pause > 0.9:
            now += wait.seconds
    sent.sort()
    for first, beyond in zip(sent, sent[limit:], strict=False):
        assert beyond - first > 60


def test_a_limit_is_nearly_used_up_where_there_is_enough_to_ask() -> None:
    for limit in (1, 7, 30, 59, 60, 100, 119, 250, 6000):
        polite, now, sent = Politeness("main", Manners(limit)), START, 0
        while now < START + 600:
            wait = polite.wait(now)
            now += wait.seconds + 1e-6 if wait else 0.0
            if wait is None:
                polite.asked(now)
                polite.answered(now, "study 1", 0.01)
                sent += 1
        assert 0.97 * 10 * limit - limit <= sent <= 10 * limit


@given(
    st.sampled_from([0.02, 0.1, 0.5, 0.9]),
    st.integers(1, 4),
    st.lists(st.tuples(st.floats(0.001, 5), st.floats(0, 0.5), st.booleans()), min_size=1, max_size=200),
)
def test_the_share_of_time_in_which_something_is_asked_is_kept(
    duty: float, associations: int, asks: list[tuple[float, float, bool]]
) -> None:
    """`asks`: how long a query takes, the pause before the next attempt, and whether the process starts anew."""
    polite, now = Politeness("main", Manners(duty_cycle=duty)), START
    busy: list[tuple[float, float]] = []
    ends: list[float] = []
    for took, pause, restart in asks:
        now += pause
        if restart and not ends:
            polite = restarted(polite)
        while polite.wait(now) is not None or len(ends) == associations:
            waiting = polite.wait(now)
            target = min(ends) if ends else now + (waiting.seconds if waiting else 0.0) + 1e-6
            now = max(now, target)
            for end in sorted(one for one in ends if one <= now):
                polite.answered(end, "study 1", 0.01)
                ends.remove(end)
        polite.asked(now)
        busy.append((now, now + took))
        ends.append(now + took)
    spent, until = 0.0, START
    for first, last in sorted(busy):
        spent += max(0.0, last - max(first, until))
        until = max(until, last)
        if first > busy[0][0]:
            before = _spent(busy, first)
            assert before <= duty * (first - START) + TURN + max(took for took, _, _ in asks)


def _spent(busy: list[tuple[float, float]], moment: float) -> float:
    """Give the seconds before a moment in which something was asked."""
    spent, until = 0.0, START
    for first, last in sorted(busy):
        spent += max(0.0, min(last, moment) - max(first, until))
        until = max(until, min(last, moment))
    return spent


def fail(polite: Politeness, now: float, times: int = 1) -> None:
    for _ in range(times):
        polite.asked(now)
        polite.failed(now, 1.0, asked=True)


def test_the_breaker_opens_after_five_failures_and_backs_off_up_to_an_hour() -> None:
    polite, now = Politeness("main"), START
    fail(polite, now, FAILURES - 1)
    assert polite.kept_away(now) is None
    fail(polite, now)
    waits = []
    for _ in range(10):
        wait = polite.kept_away(now)
        assert wait is not None
        waits.append(wait.seconds)
        now += wait.seconds
        polite = restarted(polite)
        assert polite.kept_away(now) is None
        polite.try_again(now)
        other = polite.kept_away(now)
        assert other is not None
        assert other.why == f"main gave no answer {polite.standing.failures} times in a row, and is being tried again"
        fail(polite, now)
    assert waits == [min(LONGEST_BACK_OFF, BACK_OFF * 2**number) for number in range(10)]
    polite.asked(now)
    polite.answered(now, "study 1", 0.01)
    assert polite.kept_away(now) is None
    fail(polite, now, FAILURES - 1)
    assert polite.kept_away(now) is None


@given(st.floats(0, 1, exclude_max=True))
def test_chance_draws_the_whole_back_off(chance: float) -> None:
    polite = Politeness("main")
    for _ in range(FAILURES):
        polite.asked(START)
        polite.failed(START, chance, asked=True)
    assert polite.standing.retry_from == pytest.approx(START + chance * BACK_OFF)


def test_answers_that_take_longer_than_usual_slow_us_down_and_the_pace_comes_back_by_and_by() -> None:
    polite, now, paces = Politeness("main"), START, list[float]()

    def answer(seconds: float, times: int) -> None:
        nonlocal now
        for _ in range(times):
            now += seconds
            polite.under_way += 1
            polite.answered(now, kind_of("series", 4), seconds)
            paces.append(polite.standing.pace)

    answer(0.1, 1000)
    assert set(paces) == {1.0}
    answer(0.5, 30)
    assert polite.standing.pace < 0.6
    wait = None
    while wait is None:
        wait = polite.wait(now)
        if wait is None:
            polite.asked(now)
            now += 0.5
            polite.answered(now, kind_of("series", 4), 0.5)
    assert wait.why.startswith("slower: main answers ")
    answer(0.5, 200)
    assert polite.standing.pace == SLOWEST
    paces.clear()
    answer(0.1, 5000)
    assert polite.standing.pace == 1.0
    rises = [after - before for before, after in pairwise(paces) if after != before]
    assert max(rises) == pytest.approx(STEP)
    assert len(rises) * PATIENCE >= 170


def test_long_answers_are_compared_with_long_ones() -> None:
    polite, now = Politeness("main"), START
    for rows, seconds in [(2, 0.06), (5000, 3.0)] * 200:
        now += seconds
        polite.asked(now)
        polite.answered(now, kind_of("study", rows), seconds)
    assert polite.standing.pace == 1.0


def test_refusals_now_and_then_are_answers_and_refusals_again_and_again_slow_us_down() -> None:
    polite, now = Politeness("main"), START
    for number in range(100):
        now += 0.1
        polite.under_way += 1
        polite.refused(now) if number % 3 == 0 else polite.answered(now, "study 1", 0.05)
    assert polite.standing.pace == 1.0
    for _ in range(10):
        polite.under_way += 1
        polite.refused(now)
    assert polite.standing.pace == 0.5


@given(st.floats(0, 86400))
def test_a_clock_that_goes_back_leaves_waits_as_long_as_they_were(back: float) -> None:
    polite = Politeness("main", Manners(30))
    polite.asked(START)
    wait = polite.wait(START)
    assert wait is not None
    later = polite.wait(START - back)
    assert later is not None
    assert later.seconds == pytest.approx(wait.seconds, abs=1e-3)


@pytest.mark.parametrize("values", [{"pace": "fast"}, {"usual": {"study 1": ["a", 1]}}, {"failures": None}])
def test_what_is_no_standing_is_not_taken_up(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="numbers"):
        Standing.of(values)
