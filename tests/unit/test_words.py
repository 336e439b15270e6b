"""One of a thing is not several."""

from __future__ import annotations

import pytest

from crawler.words import many


@pytest.mark.parametrize(
    ("count", "what", "words"),
    [
        (0, "window", "0 windows"),
        (1, "study", "1 study"),
        (2000, "study", "2,000 studies"),
        (1, "series", "1 series"),
        (3, "series", "3 series"),
        (2, "day", "2 days"),
        (1, "query", "1 query"),
    ],
)
def test_a_count_agrees_with_its_noun(count: int, what: str, words: str) -> None:
    assert many(count, what) == words
