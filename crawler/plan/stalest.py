"""Which days to ask for again tonight, so that so many nights go round the whole archive. Pure.

Windows are counted, not days: they were sized to hold about as many studies each, and decades without any are one.
"""

from __future__ import annotations

from datetime import date

from crawler.plan.days import END, Days
from crawler.plan.settled import Settled
from crawler.plan.spans import DAY


def stalest(settled: Settled, nights: int, before: date | None = None) -> list[Days]:
    """Give the days whose proof is the oldest, a share of `nights`: ranges in ascending order, which do not meet.

    From the day `before` on, and where nothing is proven, days are left to others: lookback and backfill.
    """
    last = END if before is None else before.toordinal() - 1
    windows = [(since, span.first // DAY, min(span.last // DAY, last)) for span, since in settled.since]
    windows = sorted(window for window in windows if window[1] <= window[2])
    share = -(-len(windows) // nights)
    chosen = sorted((first, last) for _, first, last in windows[:share])
    ranges: list[Days] = []
    for first, last in chosen:
        if ranges and first <= ranges[-1].last + 1:
            ranges[-1] = Days(ranges[-1].first, max(ranges[-1].last, last))
        else:
            ranges.append(Days(first, last))
    return ranges
