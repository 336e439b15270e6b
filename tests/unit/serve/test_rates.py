"""Buckets: what somebody may do at once, how fast that comes back, and that memory stays bounded."""

from __future__ import annotations

from crawler.serve.rates import MOST, Buckets


def test_a_bucket_empties_and_fills_again() -> None:
    buckets = Buckets(3, 0.5)
    assert [buckets.take("a", 100.0) for _ in range(4)] == [0, 0, 0, 2.0]
    assert buckets.take("b", 100.0) == 0
    assert buckets.take("a", 101.0) == 1.0
    assert buckets.take("a", 102.0) == 0
    assert buckets.take("a", 102.0) == 2.0
    assert [buckets.take("a", 9999.0) for _ in range(4)] == [0, 0, 0, 2.0]


def test_what_is_given_back_can_be_taken_again() -> None:
    buckets = Buckets(1, 0.1)
    for _ in range(3):
        assert buckets.take("a", 5.0) == 0
        buckets.give_back("a", 5.0)
    buckets.give_back("a", 5.0)
    assert [buckets.take("a", 5.0) for _ in range(2)] == [0, 10.0]


def test_the_longest_unused_is_forgotten() -> None:
    buckets = Buckets(1, 0.001)
    for number in range(MOST + 1):
        assert buckets.take(str(number), 0.0) == 0
    assert buckets.take(str(MOST), 0.0) > 0
    assert buckets.take("0", 0.0) == 0
