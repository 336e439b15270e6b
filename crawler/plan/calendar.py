"""What the ledger proves of each day, level by level. Pure.

The newest answer about a day counts, because archives change: a capped answer of today takes back what a complete one
proved a month ago. A window narrower than a day speaks for its hours. One narrowed by a further key cannot prove
anything alone, but it can show that something is missing. And no answer proves a day that was not over when it was
asked for: later on the same day the PACS received more.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise

from crawler.model import UNDATED, Coverage, Level, SweepRecord, Window, WindowState
from crawler.plan.days import BEGINNING, END, Days, days_of, subtract
from crawler.plan.spans import DAY, second_of_day

UNDATED_DAY = BEGINNING - 1
"""The studies without a StudyDate, as if they had been made the day before the calendar begins."""

NEVER = "never asked"
TOO_EARLY = "asked before the day was over"
SINCE = "not asked since"
IN_PART = "asked for in part only"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of a day. Not proven, it is what the first level in question that is not proven says."""

    state: WindowState | None
    """None when no answer speaks for it."""
    level: Level
    reason: str | None = None
    rows: int = 0
    """Rows of the windows that it stands in: none means that nothing was found there."""

    @property
    def proven(self) -> bool:
        """Whether nothing is missing."""
        return self.state is WindowState.COMPLETE

    @property
    def says(self) -> tuple[WindowState | None, Level, str | None]:
        """All of it but the number of rows, in which days may differ that are otherwise alike."""
        return (self.state, self.level, self.reason)

    @property
    def asked(self) -> bool:
        """Whether any level was answered for."""
        return self.state is not None or self.level not in (Level.STUDY, Level.WORKLIST)


@dataclass(frozen=True, slots=True)
class Run:
    """Days of which the same is known."""

    days: Days
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class _Claim:
    """One ledger row, on the days that it speaks for. The newest has the highest rank."""

    days: Days
    hours: Days
    """Seconds of the day, where it speaks for a part of one only."""
    rank: int
    verdict: Verdict
    whole: bool = True
    """False when a further key narrows it."""


_ALL_DAY = Days(0, DAY - 1)


def runs_of(rows: Iterable[Coverage], levels: Sequence[Level], today: date) -> list[Run]:
    """Give what one PACS's ledger proves at all of these levels: runs from `UNDATED_DAY` to `END`, without holes.

    `asked_at` must be in the zone that `today` is of. Neighbouring runs may say the same.
    """
    by_level: Mapping[Level, list[Coverage]] = defaultdict(list)
    for row in rows:
        by_level[row.level].append(row)
    at_levels = [list(_runs_at(level, by_level[level], today)) for level in levels]
    return list(_weakest(at_levels))


def within(runs: Iterable[Run], days: Days) -> list[Run]:
    """Cut runs to a range of days."""
    cut = [Run(Days(max(run.days.first, days.first), min(run.days.last, days.last)), run.verdict) for run in runs]
    return [run for run in cut if run.days.first <= run.days.last]


def joined(runs: Iterable[Run]) -> list[Run]:
    """Join neighbours that say the same, adding their rows up."""
    found: list[Run] = []
    for run in runs:
        before = found[-1] if found else None
        if before and before.days.last + 1 == run.days.first and before.verdict.says == run.verdict.says:
            verdict = replace(run.verdict, rows=before.verdict.rows + run.verdict.rows)
            found[-1] = Run(Days(before.days.first, run.days.last), verdict)
        else:
            found.append(run)
    return found


def asked_days(runs: Iterable[Run], sweeps: Iterable[SweepRecord], today: date) -> Days | None:
    """Give the range from the first day that was asked for, or was to be, to the last; None without any.

    It ends before the day of the asking once that is past. What lies ahead of us is left out as long as it is proven:
    it says nothing of the days up to now.
    """
    answered = [run for run in runs if run.verdict.asked and run.days.last >= BEGINNING]
    ranges = [run.days for run in answered if run.days.first <= today.toordinal() or not run.verdict.proven]
    for sweep in sweeps:
        begun = sweep.started_at.date()
        over = begun if begun == today else begun - timedelta(days=1)
        ranges.append(_requested(sweep, over))
    return _hull(ranges)


def wanted_days(runs: Sequence[Run], sweeps: Sequence[SweepRecord], today: date) -> Days | None:
    """Give the range of `asked_days`, and up to today where more was asked for than was over at the time."""
    asked = asked_days(runs, sweeps, today)
    early = [run.days for run in runs if run.verdict.reason in (TOO_EARLY, SINCE)]
    return _hull([*([asked] if asked else []), *early, *(_requested(sweep, today) for sweep in sweeps)])


def _requested(sweep: SweepRecord, until: date) -> Days:
    """Give the days that a sweep was to ask for, up to a day."""
    days = days_of(sweep.date_from, sweep.date_to)
    return Days(days.first, min(days.last, until.toordinal()))


def _hull(ranges: Iterable[Days]) -> Days | None:
    found = [days for days in ranges if days.first <= days.last]
    return Days(min(days.first for days in found), max(days.last for days in found)) if found else None


def settled(row: Coverage) -> tuple[object, ...]:
    """Give the key that puts ledger rows in order: when each was known. Parts are settled before their whole."""
    return (row.asked_at + timedelta(milliseconds=row.took_ms), row.asked_at)


def _runs_at(level: Level, rows: Iterable[Coverage], today: date) -> Iterator[Run]:
    """Say what is known at one level."""
    never = Verdict(None, level, NEVER)
    claims = [claim for rank, row in enumerate(_latest(rows)) for claim in _claims(rank, row, today)]
    broad = [claim for claim in claims if claim.whole and claim.hours == _ALL_DAY]
    narrow: Mapping[int, list[_Claim]] = defaultdict(list)
    for claim in claims:
        if not (claim.whole and claim.hours == _ALL_DAY) and claim.days.length == 1:
            narrow[claim.days.first].append(claim)
    for days, newest in _newest(broad, narrow):
        whole = newest or _Claim(days, _ALL_DAY, -1, never)
        yield Run(days, _of_parts(narrow[days.first], whole) if days.first in narrow else whole.verdict)


def _latest(rows: Iterable[Coverage]) -> list[Coverage]:
    """Give the newest row of each window, oldest first: a question asked again takes back its earlier answer."""
    latest: dict[Window, Coverage] = {}
    for row in sorted(rows, key=settled):
        latest.pop(row.window, None)
        latest[row.window] = row
    return list(latest.values())


def _claims(rank: int, row: Coverage, today: date) -> Iterator[_Claim]:
    """Say for which days a row speaks, and what."""
    undated = row.window.undated
    days = Days(UNDATED_DAY, UNDATED_DAY) if undated else days_of(row.window.date_from, row.window.date_to)
    hours = _hours(row.window, days)
    verdict = Verdict(row.state, row.level, row.reason, row.rows)
    if not verdict.proven:
        # Something is missing somewhere in it, wherever its further conditions put that.
        yield _Claim(days, hours, rank, verdict)
        return
    has_hours = row.window.time_from is not None or row.window.time_to is not None
    whole = row.window.key in (None, UNDATED.key) and not (has_hours and days.length > 1)
    asked_on, now = row.asked_at.date().toordinal(), today.toordinal()
    too_early = Verdict(None, row.level, TOO_EARLY)
    pieces = [(days.first, days.last, verdict)]
    if asked_on < now and not undated:
        pieces = [
            (days.first, min(days.last, asked_on - 1), verdict),
            (max(days.first, asked_on), min(days.last, asked_on), too_early),
            (max(days.first, asked_on + 1), min(days.last, now), replace(too_early, reason=SINCE)),
            (max(days.first, now + 1), days.last, verdict),
        ]
    yield from (_Claim(Days(first, last), hours, rank, said, whole) for first, last, said in pieces if first <= last)


def _hours(window: Window, days: Days) -> Days:
    """Give the seconds of the day that a window is about: HHMMSS, both ends included. Of several days, all."""
    if days.length > 1:
        return _ALL_DAY
    return Days(second_of_day(window.time_from or "000000"), second_of_day(window.time_to or "235959"))


def _newest(claims: list[_Claim], narrow: Iterable[int]) -> Iterator[tuple[Days, _Claim | None]]:
    """Give the newest claim on each day, in ranges as long as may be; each `narrow` day is a range of its own."""
    edges = {UNDATED_DAY, BEGINNING, END + 1}
    edges.update(day for claim in claims for day in (claim.days.first, claim.days.last + 1))
    edges.update(edge for day in narrow for edge in (day, day + 1))
    coming = sorted(claims, key=lambda claim: claim.days.first, reverse=True)
    standing: list[tuple[int, int, _Claim]] = []
    for first, following in pairwise(sorted(edges)):
        while coming and coming[-1].days.first <= first:
            claim = coming.pop()
            heapq.heappush(standing, (-claim.rank, claim.days.first, claim))
        while standing and standing[0][2].days.last < first:
            heapq.heappop(standing)
        yield Days(first, following - 1), standing[0][2] if standing else None


def _of_parts(parts: list[_Claim], whole: _Claim) -> Verdict:
    """Judge a day by the newest claim on all of it, and by those on its parts that are newer."""
    newer = sorted((part for part in parts if part.rank > whole.rank), key=lambda part: part.rank, reverse=True)
    taken: list[Days] = []
    seen: list[Verdict] = []
    for claim in (*newer, whole):
        if claim.whole and subtract(claim.hours, taken):
            taken.append(claim.hours)
            seen.append(claim.verdict)
    doubts = [verdict for verdict in seen if not verdict.proven]
    rows = sum(part.verdict.rows for part in newer) or whole.verdict.rows
    if not doubts:
        return replace(seen[-1], rows=rows)
    if newer and doubts[0].reason == NEVER:
        return Verdict(WindowState.INTERRUPTED, doubts[0].level, IN_PART, rows)
    return replace(doubts[0], rows=rows)


def _weakest(at_levels: Sequence[list[Run]]) -> Iterator[Run]:
    """Lay the runs of several levels over each other: a day is what its first level says that is not proven."""
    places = [0] * len(at_levels)
    first = UNDATED_DAY
    while first <= END:
        here = [runs[place] for runs, place in zip(at_levels, places, strict=True)]
        last = min(run.days.last for run in here)
        doubt = next((run.verdict for run in here if not run.verdict.proven), here[0].verdict)
        yield Run(Days(first, last), replace(doubt, rows=here[0].verdict.rows))
        places = [place + (run.days.last == last) for place, run in zip(places, here, strict=True)]
        first = last + 1
