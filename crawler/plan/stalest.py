"""Which days to ask for again tonight, so that so many nights go round the whole archive. Pure.

Windows are counted, not days: they were sized to hold about as many studies each, and decades without any are one.
Studies without a date are one more.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from crawler.model import UNDATED, Coverage, WindowState
from crawler.plan.days import END, Days
from crawler.plan.settled import Settled
from crawler.plan.spans import DAY


def stalest(settled: Settled, nights: int, before: date | None = None) -> list[Days]:
    """Give the days whose proof is the oldest, a share of `nights`: ranges in ascending order, which do not meet.

    From the day `before` on, and where nothing is proven, days are left to others: lookback and backfill.
    """
    windows = _oldest_first(settled, before)
    chosen = sorted((first, last) for _, first, last in windows[: _share(windows, nights)])
    ranges: list[Days] = []
    for first, last in chosen:
        if ranges and first <= ranges[-1].last + 1:
            ranges[-1] = Days(ranges[-1].first, max(ranges[-1].last, last))
        else:
            ranges.append(Days(first, last))
    return ranges


def undated_is_stale(studies: Iterable[Coverage], settled: Settled, nights: int, before: date | None = None) -> bool:
    """Whether the answer about studies without a date is among tonight's share of the oldest.

    Never where none was ever complete: this PACS cannot be asked for them.
    """
    answers = [row for row in studies if row.window == UNDATED]
    if not any(row.state is WindowState.COMPLETE for row in answers):
        return False
    newest, windows = max(row.asked_at for row in answers), _oldest_first(settled, before)
    return sum(since < newest for since, *_ in windows) < _share(windows, nights)


def _oldest_first(settled: Settled, before: date | None) -> list[tuple[datetime, int, int]]:
    """Give what is proven of the days before `before`: since when, the first day and the last."""
    last = END if before is None else before.toordinal() - 1
    windows = [(since, span.first // DAY, min(span.last // DAY, last)) for span, since in settled.since]
    return sorted(window for window in windows if window[1] <= window[2])


def _share(windows: list[tuple[datetime, int, int]], nights: int) -> int:
    return -(-(len(windows) + 1) // nights)
