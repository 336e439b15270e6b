"""Every series ends complete or with a reason, in a bounded number of requests, whatever the PACS does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crawler.model import Level
from crawler.retrieve.order import Order, Patience
from crawler.retrieve.state import State
from crawler.retrieve.track import Item, Look
from tests.property.retrieve.toy_pacs import ToyPacs, ToySeries, items

ENDS = {State.COMPLETE, State.PARTIAL, State.OFFLINE, State.FAILED}
SETTLE = Patience().settle

series = st.builds(
    ToySeries,
    size=st.sampled_from([0, 1, 2, 7, 200]),
    grows=st.sampled_from([0, 0, 0, 3]),
    lists=st.booleans(),
    counts=st.booleans(),
    phantom=st.sampled_from([0, 0, 0, 1, 70]),
    lost_first=st.sampled_from([0, 0, 0, 1, 9]),
    empty_first=st.sampled_from([0, 0, 0, 1, 3, 99]),
    only_each=st.sampled_from([1, 1, 2, 5]),
    late=st.sampled_from([0.0, 0.0, SETTLE / 2, SETTLE * 2, 100.0]),
    refuses=st.sampled_from([None, None, Level.SERIES, Level.IMAGE]),
    status=st.sampled_from([0, 0, 0xB000, 0xC000, 0xA702]),
    broken=st.sampled_from([0, 0, 0, 1]),
)
archives = st.lists(series, min_size=1, max_size=5).map(lambda all_of: {f"s{at}": one for at, one in enumerate(all_of)})


def ordered(archive: dict[str, ToySeries], here: dict[str, set[str]] | None = None) -> ToyPacs:
    order = Order()
    order.add("cohort", items(archive, [(uid, one.size) for uid, one in archive.items()]), here or {})
    toy = ToyPacs(archive, order)
    toy.drive()
    return toy


@given(archives)
def test_complete_means_that_all_is_here_and_anything_else_says_why(archive: dict[str, ToySeries]) -> None:
    order = ordered(archive).order
    for uid, track in order.tracks.items():
        held = set(archive[uid].names())
        if track.state is State.COMPLETE:
            assert held <= track.here, "some instances are missing and nobody says so"
            assert archive[uid].lists or archive[uid].counts
            assert not archive[uid].broken
            assert not archive[uid].phantom
        else:
            assert track.reason
        if order.abandoned is None:
            assert track.state in ENDS or "grew" in (track.reason or "")


@given(archives)
def test_what_is_here_is_not_asked_for_again_by_name_and_requests_are_few(archive: dict[str, ToySeries]) -> None:
    half = {uid: set(one.names()[: one.size // 2]) for uid, one in archive.items()}
    toy = ordered(archive, half)
    for fetch in toy.fetches:
        assert not half[fetch.item.uid] & set(fetch.instances)
        assert len(fetch.instances) == len(set(fetch.instances))
    for uid, one in archive.items():
        wasted = len(Patience().ask_again) + 3
        assert one.requests <= wasted * (1 + one.size), f"{one.requests} requests for {uid}"


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.integers(1, 6))
def test_an_honest_pacs_is_asked_once_for_each_series(sizes: list[int], each: int) -> None:
    toy = ordered({f"s{at}": ToySeries(size * each) for at, size in enumerate(sizes)})
    assert [one.requests for one in toy.series.values()] == [1] * len(sizes)
    assert {track.state for track in toy.order.tracks.values()} == {State.COMPLETE}


@given(archives)
def test_a_second_run_brings_what_came_late_and_asks_for_nothing_that_is_here(archive: dict[str, ToySeries]) -> None:
    first = ordered(archive)
    here = {uid: set(track.here) for uid, track in first.order.tracks.items()}
    settled = {uid for uid, one in archive.items() if one.lists and here[uid] >= set(one.names()) and not one.phantom}
    second = ordered({uid: ToySeries(one.size) for uid, one in archive.items()}, here)
    assert {fetch.item.uid for fetch in second.fetches}.isdisjoint(settled)
    assert all(
        track.state is State.COMPLETE or not second.series[uid].size for uid, track in second.order.tracks.items()
    )


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 1))
def test_cohorts_take_turns_unless_one_is_preferred(one: int, other: int, priority: int) -> None:
    order = Order()
    order.add("a", [Item("1", f"a{number}") for number in range(one)], {})
    order.add("b", [Item("2", f"b{number}") for number in range(other)], {}, priority)
    handed = [task.item.uid[0] for _ in range(one + other) if isinstance(task := order.next(0.0), Look)]
    if priority:
        assert handed == ["b"] * other + ["a"] * one
    else:
        shared = handed[: 2 * min(one, other)]
        assert abs(shared.count("a") - shared.count("b")) <= 1


@given(archives, st.integers(0, 40))
def test_when_it_is_stopped_what_was_asked_for_is_judged(archive: dict[str, ToySeries], after: int) -> None:
    order = Order()
    order.add("cohort", items(archive), {})
    toy = ToyPacs(archive, order)
    looks = [order.next(0.0) for _ in range(min(after, len(archive)))]
    order.abandon("its hours are over")
    for look in looks:
        assert isinstance(look, Look)
        order.looked(look, archive[look.item.uid].listing(), 0.0)
    toy.drive()
    assert toy.fetches == []
    assert order.abandoned == "its hours are over"
