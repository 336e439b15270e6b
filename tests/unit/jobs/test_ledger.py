"""Rows of the ledger stand in the order in which they came to be known."""

from __future__ import annotations

import time

from crawler.model import Level, Window, WindowState
from crawler.pacs.profile import Profile
from crawler.plan.answers import Accept
from crawler.plan.calendar import settled
from jobs.ledger import Ledger
from jobs.publish import Source


def test_what_comes_out_later_about_a_window_is_never_the_older_row() -> None:
    source = Source("main", "s1", {}, Profile())
    for number in range(300):
        answered = Ledger(Level.STUDY)
        time.sleep(number / 100_000)
        first = answered.coverage(source, Window())
        later = Ledger(Level.STUDY, Accept(WindowState.CAPPED)).coverage(source, Window())
        assert settled(first) <= settled(later)
