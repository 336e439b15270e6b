"""What the order machine waits for, and what it asks next."""

from __future__ import annotations

from crawler.model import Level
from crawler.retrieve.order import Order, Patience
from crawler.retrieve.reconcile import Ended, Listing
from crawler.retrieve.state import State
from crawler.retrieve.status import Moved
from crawler.retrieve.track import Check, Fetch, Item, Look, Task

ITEM = Item("1.2", "1.2.3", instances=3)
NAMES = frozenset(("a", "b", "c"))
PATIENCE = Patience(settle=5.0, look_again=(60.0, 300.0), ask_again=(10.0, 100.0))


def order_of(*items: Item, here: frozenset[str] = frozenset()) -> Order:
    order = Order(PATIENCE)
    order.add("cohort", items or [ITEM], {ITEM.uid: here})
    return order


def handed(order: Order, kind: type[Task], now: float) -> Task:
    task = order.next(now)
    assert isinstance(task, kind), task
    return task


def looked(order: Order, names: frozenset[str] = NAMES, now: float = 0.0) -> None:
    look = handed(order, Look, now)
    assert isinstance(look, Look)
    order.looked(look, Listing(names), now)


def fetched(order: Order, came: frozenset[str], now: float, said: Moved | None = None) -> Fetch:
    fetch = handed(order, Fetch, now)
    assert isinstance(fetch, Fetch)
    order.arrived(ITEM.uid, came, now)
    order.fetched(fetch, Ended(said or Moved(0)), now)
    return fetch


def checked(order: Order, now: float) -> None:
    check = handed(order, Check, now)
    assert isinstance(check, Check)
    order.checked(check, [])


def test_what_arrives_after_success_is_waited_for_and_not_asked_for_again() -> None:
    order = order_of()
    looked(order)
    fetched(order, frozenset("a"), 0.0)
    assert order.next(4.0) is None
    order.arrived(ITEM.uid, "b", 4.0)
    assert order.next(8.9) is None, "each arrival is a reason to wait on"
    order.arrived(ITEM.uid, "c", 8.9)
    checked(order, 9.0 + PATIENCE.settle)
    assert order.tracks[ITEM.uid].state is State.COMPLETE
    assert order.tracks[ITEM.uid].requests == 1
    assert order.finished


def test_a_series_is_asked_for_when_its_number_of_instances_stays() -> None:
    order = order_of(Item("1.2", "1.2.3", instances=1))
    looked(order, frozenset("a") | {"b"})
    assert order.tracks[ITEM.uid].reason == "2 instances; asked for when their number stays"
    assert order.next(59.0) is None
    looked(order, NAMES, 60.0)
    assert order.next(359.0) is None
    looked(order, NAMES, 360.0)
    handed(order, Fetch, 360.0)


def test_a_series_that_never_stops_growing_is_left_for_another_time() -> None:
    order = order_of()
    for number, now in enumerate((0.0, 60.0, 360.0)):
        looked(order, frozenset(map(str, range(10 + number))), now)
    assert order.next(1e9) is None
    assert order.finished
    assert order.tracks[ITEM.uid].reason == "it still grew, to 12 instances"


def test_what_is_missing_is_asked_for_by_name() -> None:
    order = order_of()
    looked(order)
    assert fetched(order, frozenset("ab"), 0.0).level is Level.SERIES
    again = fetched(order, frozenset("c"), 5.0)
    assert (again.level, again.instances) == (Level.IMAGE, ("c",))
    checked(order, 5.0)


def test_a_series_that_is_here_for_the_most_part_is_asked_for_by_name_at_once() -> None:
    order = order_of(here=frozenset("ab"))
    looked(order)
    assert fetched(order, frozenset("c"), 0.0).instances == ("c",)


def test_a_series_that_is_here_is_not_asked_for() -> None:
    order = order_of(here=NAMES)
    looked(order)
    checked(order, 0.0)
    assert order.tracks[ITEM.uid].requests == 0


def test_success_and_nothing_is_an_offline_series_asked_for_again_after_a_while() -> None:
    order = order_of()
    looked(order)
    fetched(order, frozenset(), 0.0)
    fetched_again_at = []
    for now in range(300):
        if isinstance(task := order.next(float(now)), Fetch):
            fetched_again_at.append(now)
            order.fetched(task, Ended(Moved(0)), float(now))
    assert fetched_again_at == [15, 120]
    track = order.tracks[ITEM.uid]
    assert (track.state, track.requests) == (State.OFFLINE, 3)
    order.arrived(ITEM.uid, NAMES, 400.0)
    checked(order, 400.0)
    assert track.state is State.COMPLETE, "it came by itself"


def test_an_unknown_destination_ends_all() -> None:
    order = order_of(ITEM, Item("1.2", "1.2.4"))
    looked(order)
    fetched(order, frozenset(), 0.0, Moved(0xA801))
    assert order.next(1e9) is None
    assert order.abandoned == "a request ended with 0xA801 (move destination unknown)"
    assert order.tracks[ITEM.uid].state is State.FAILED
    assert order.tracks["1.2.4"].state is State.PLANNED


def test_a_series_that_came_by_itself_after_the_end_is_checked_once() -> None:
    order = order_of()
    look = handed(order, Look, 0.0)
    assert isinstance(look, Look)
    order.abandon("its hours are over")
    order.looked(look, Listing(NAMES), 0.0)
    order.arrived(ITEM.uid, NAMES, 1.0)
    checked(order, 2.0)
    assert order.finished
    assert order.tracks[ITEM.uid].state is State.COMPLETE


def test_a_refused_level_is_not_tried_again() -> None:
    order = order_of()
    looked(order)
    assert fetched(order, frozenset(), 0.0, Moved(0xA900)).level is Level.SERIES
    assert fetched(order, NAMES, 5.0).level is Level.IMAGE


def test_a_study_gives_way_to_its_series() -> None:
    order = order_of(Item("1.2"))
    look = handed(order, Look, 0.0)
    assert isinstance(look, Look)
    order.found(look, [Item("1.2", "1.2.3"), Item("1.2", "1.2.4")])
    assert set(order.tracks) == {"1.2.3", "1.2.4"}
    assert isinstance(order.next(0.0), Look)


def test_files_that_do_not_read_back_are_no_instances() -> None:
    order = order_of(here=NAMES)
    looked(order)
    check = handed(order, Check, 0.0)
    assert isinstance(check, Check)
    order.checked(check, ["a"])
    assert order.tracks[ITEM.uid].state is State.FAILED
    assert "`pacslake cohort verify`" in (order.tracks[ITEM.uid].reason or "")


def test_who_waits_until_a_series_is_asked_for_again_is_told_how_long() -> None:
    order = order_of()
    assert order.pause(0.0) == 0.0
    looked(order)
    fetched(order, frozenset(), 0.0)
    assert order.next(5.0) is None
    assert (order.pause(5.0), order.pause(14.0), order.pause(20.0)) == (10.0, 1.0, 0.0)
    assert order.next(15.0) is not None
    assert order.pause(15.0) == 0.0


def test_patience_is_multiplied() -> None:
    assert Patience(1.0, (2.0, 4.0), (6.0,)).times(0.5) == Patience(0.5, (1.0, 2.0), (3.0,))


def test_of_a_series_that_is_not_wanted_whole_only_what_is_named_is_asked_for() -> None:
    order = Order(Patience(look_again=(), ask_again=()))
    order.add("", [Item("1.2", "1.2.3", by_name=True)], {})
    looked(order, frozenset(("b", "a")))
    fetch = fetched(order, frozenset(), 0.0, Moved(0xA900))
    assert (fetch.level, fetch.instances) == (Level.IMAGE, ("a", "b"))
    assert order.next(100.0) is None, "a PACS that refuses instances by name is not asked for the series instead"
    assert order.tracks[ITEM.uid].state is State.FAILED
    assert order.finished
