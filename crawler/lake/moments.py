"""Moments as people type them. Pure.

The lake's bookkeeping times are UTC without a zone, and so is what is typed without one: a `valid_from` copied out of
an answer means what it says.
"""

from __future__ import annotations

from datetime import date, datetime, time

from crawler.errors import UserError
from crawler.lake.ledger import naive_utc


def beginning_of(moment: str | date) -> datetime:
    """Give a moment in naive UTC; of a day its first microsecond. UserError for text that is neither."""
    return _instant(moment, time.min)


def end_of(moment: str | date) -> datetime:
    """Give a moment in naive UTC; of a day its last microsecond. UserError for text that is neither."""
    return _instant(moment, time.max)


def _instant(moment: str | date, of_a_day: time) -> datetime:
    given = _parsed(moment) if isinstance(moment, str) else moment
    return naive_utc(given if isinstance(given, datetime) else datetime.combine(given, of_a_day))


def _parsed(text: str) -> date:
    for read in (date.fromisoformat, datetime.fromisoformat):
        try:
            return read(text.strip())
        except ValueError:
            continue
    raise UserError(f"{text!r} is neither a day, as 2026-03-01, nor a moment, as 2026-03-01T18:30 or …T18:30+01:00")
