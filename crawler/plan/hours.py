"""When a PACS may be asked: hours of the week, by the clock on the site's wall, holidays apart. Pure.

A moment is allowed when the wall clock shows a time within a span of its day. So at a change of clocks an hour that
comes twice is judged twice alike, one that is skipped is never asked about, and a night is an hour longer or shorter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY = 24 * 60
"""Minutes."""

Spans = tuple[tuple[int, int], ...]
"""Minutes since midnight, the second ones not included; beyond `DAY` they lie on the next day."""

_AHEAD = timedelta(days=400)
"""A site that has no open hour for longer is closed for good."""
_STRETCH = 8
"""Days that are looked at together."""


@dataclass(frozen=True, slots=True)
class Hours:
    """The hours of one PACS. A span belongs to the day on which it begins, and goes on into a holiday."""

    zone: ZoneInfo
    week: tuple[Spans, ...]
    """Monday to Sunday."""
    on_holidays: Spans | None = None
    """None: as on any other such weekday."""
    holidays: frozenset[date] = frozenset()

    def allow(self, moment: datetime) -> bool:
        """Whether the PACS may be asked at a moment."""
        local = moment.astimezone(self.zone)
        minute = 60 * local.hour + local.minute
        today, yesterday = local.date(), local.date() - timedelta(days=1)
        return any(first <= minute < last for first, last in self._spans(today)) or any(
            minute + DAY < last for _, last in self._spans(yesterday)
        )

    def next_change(self, moment: datetime) -> datetime | None:
        """Give when hours begin or end next, in UTC; None when they never do."""
        allowed = self.allow(moment)
        return next((edge for edge in self._edges(moment) if self.allow(edge) is not allowed), None)

    def next_allowed(self, moment: datetime) -> datetime | None:
        """Give the moment itself, or when hours begin after it; None when they never do."""
        return moment if self.allow(moment) else self.next_change(moment)

    def lasting_until(self, begin: datetime, seconds: float) -> datetime | None:
        """Give when something ends that takes so many seconds within these hours; None when they do not suffice."""
        left = timedelta(seconds=seconds)
        moment = self.next_allowed(begin)
        while moment is not None and moment < begin + _AHEAD:
            end = self.next_change(moment)
            if end is None or end - moment >= left:
                return moment + left
            left -= end - moment
            moment = self.next_change(end)
        return None

    def _spans(self, day: date) -> Spans:
        if self.on_holidays is not None and day in self.holidays:
            return self.on_holidays
        return self.week[day.weekday()]

    def _edges(self, moment: datetime) -> Iterator[datetime]:
        """Give the moments at which hours may begin or end, those after `moment`, in their order."""
        spans = [span for spans in (*self.week, self.on_holidays or ()) for span in spans]
        minutes = {0, *(edge % DAY for span in spans for edge in span)}
        begin = datetime.combine(moment.astimezone(UTC).date(), time(), UTC)
        while begin < moment + _AHEAD:
            end = begin + timedelta(days=_STRETCH)
            days = [begin.date() + timedelta(days=number) for number in range(-1, _STRETCH + 1)]  # here and at UTC
            edges = {
                datetime.combine(day, time(*divmod(minute, 60), fold=fold), self.zone).astimezone(UTC)
                for day in days
                for minute in minutes
                for fold in (0, 1)
            }
            edges.update(change for day in days for change in self._clock_changes(day))
            yield from sorted(edge for edge in edges if begin <= edge < end and edge > moment)
            begin = end

    def _clock_changes(self, day: date) -> Iterator[datetime]:
        """Give the minute at which the clocks change within a day of UTC, if they do."""
        begin = datetime.combine(day, time(), UTC)
        low, high = 0, DAY
        if self._ahead(begin, low) == self._ahead(begin, high):
            return
        while high - low > 1:
            middle = (low + high) // 2
            if self._ahead(begin, middle) == self._ahead(begin, 0):
                low = middle
            else:
                high = middle
        yield begin + timedelta(minutes=high)

    def _ahead(self, begin: datetime, minutes: int) -> timedelta | None:
        return (begin + timedelta(minutes=minutes)).astimezone(self.zone).utcoffset()
