"""Ranges of whole days with open ends: the coarser view of spans, for what is told of days. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from crawler.model import Window
from crawler.plan import spans
from crawler.plan.spans import DAY, Span

BEGINNING = spans.BEGINNING // DAY
END = spans.END // DAY


class Days(NamedTuple):
    """Days as proleptic ordinals, both ends included; `BEGINNING` and `END` stand for open ends."""

    first: int
    last: int

    @property
    def length(self) -> int:
        """How many days it holds."""
        return self.last - self.first + 1

    @property
    def span(self) -> Span:
        """All seconds of these days."""
        return Span(self.first * DAY, self.last * DAY + DAY - 1)

    @property
    def window(self) -> Window:
        """The window that asks for all of these days."""
        return self.span.window


def days_of(date_from: date | None, date_to: date | None) -> Days:
    """Give the days from `date_from` to `date_to`, None meaning an open end."""
    return _days_in(spans.days_of(date_from, date_to))


def subtract(whole: Days, covered: Iterable[Days]) -> list[Days]:
    """Give what of `whole` no range of `covered` holds: disjoint ranges in ascending order."""
    return [_days_in(span) for span in spans.subtract(whole.span, (days.span for days in covered))]


def _days_in(span: Span) -> Days:
    return Days(span.first // DAY, span.last // DAY)
