"""The bounded cache forgets what was used longest ago."""

from __future__ import annotations

import numpy as np

from crawler.testing.cache import BoundedCache


def test_it_keeps_what_fits_and_forgets_the_least_recently_used() -> None:
    cache, made = BoundedCache(300), list[str]()

    def ask(key: str) -> None:
        def make() -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
            made.append(key)
            return np.zeros(100, np.uint8)

        cache.get(key, make)

    for key in "abcadab":
        ask(key)
    assert "".join(made) == "abcdb"
    assert cache.nbytes == 300


def test_what_is_larger_than_the_limit_is_kept_until_the_next() -> None:
    cache = BoundedCache(10)
    large = cache.get("large", lambda: np.zeros(100, np.uint8))
    assert cache.get("large", lambda: np.ones(100, np.uint8)) is large
    cache.get("next", lambda: np.zeros(5, np.uint8))
    assert cache.nbytes == 5
