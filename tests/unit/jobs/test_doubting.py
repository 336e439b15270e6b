"""Which answers below studies are believed, and when that shows."""

from __future__ import annotations

from crawler.model import Level, Window, WindowState
from jobs.doubting import DoubtsBelow
from jobs.ledger import Ledger

STUDY, OTHER = ("1.2",), ("1.3",)
WINDOW = Window(key="here")


def answered(rows: int, counted: int | None = None) -> list[Ledger]:
    """Give the ledgers of a window with one answer of so many series."""
    ledger = Ledger(Level.SERIES, counted={} if counted is None else {STUDY: counted})
    ledger.weigh([STUDY], rows)
    return [Ledger(Level.STUDY), ledger, Ledger(Level.IMAGE)]


def states(doubts: DoubtsBelow, cap: int | None = None) -> list[list[WindowState]]:
    return [[ledger.verdict.state for ledger in ledgers] for _, ledgers in doubts.take(cap)]


DOUBTED = [WindowState.COMPLETE, WindowState.CAPPED, WindowState.CAPPED]


def test_fewer_than_the_pacs_counts_is_a_cap_unless_another_answer_is_larger() -> None:
    doubts = DoubtsBelow()
    assert doubts.holds(WINDOW, answered(20, counted=25)), "a crawl that is killed asks for it again"
    assert states(doubts) == [DOUBTED]
    assert doubts.holds(WINDOW, answered(20, counted=25))
    assert not doubts.holds(WINDOW, answered(21, counted=21))
    assert states(doubts) == [[WindowState.COMPLETE] * 3], "what was held back is written, whatever it is"


def test_as_many_as_the_pacs_counts_is_whole_even_if_that_is_its_cap() -> None:
    doubts = DoubtsBelow()
    assert not doubts.holds(WINDOW, answered(100, counted=100))
    assert states(doubts, cap=100) == []


def test_a_cap_that_is_learned_later_tells_of_answers_before() -> None:
    doubts = DoubtsBelow()
    assert not doubts.holds(WINDOW, answered(37))
    assert not doubts.holds(WINDOW, answered(36))
    assert states(doubts, cap=37) == [DOUBTED]


def test_a_round_number_that_nobody_counts_is_doubted_when_it_is_the_largest() -> None:
    doubts = DoubtsBelow()
    assert doubts.holds(WINDOW, answered(500))
    assert states(doubts) == [DOUBTED]
    assert not doubts.holds(WINDOW, answered(501))
    assert not doubts.holds(WINDOW, answered(500))
    assert states(doubts) == []


def test_small_answers_are_believed() -> None:
    doubts = DoubtsBelow()
    assert not doubts.holds(WINDOW, answered(9, counted=12))
    assert states(doubts, cap=9) == []


def test_a_list_is_weighed_against_the_sum() -> None:
    ledger = Ledger(Level.SERIES, counted={STUDY: 8, OTHER: 5})
    ledger.weigh([STUDY, OTHER], 12)
    assert ledger.short == {12}
    ledger.weigh([STUDY, OTHER], 13)
    assert ledger.doubtful == {12}
