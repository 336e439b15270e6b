"""What a sweep still has to ask: in which order, in how large windows, and what is known of the PACS for that. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date

from crawler.model import UNDATED, Window, WindowState
from crawler.plan.answers import COMPLETE, Accept, Ask, Known
from crawler.plan.doubts import Doubts
from crawler.plan.empties import Empties, joined
from crawler.plan.gaps import Gaps, widened
from crawler.plan.narrow import Narrowings
from crawler.plan.spans import BEGINNING, DAY, END, Span, days_of, span_of
from crawler.plan.trials import Trial

GROWTH = 4
"""A window is at most so many times as long as the one whose answer it is sized by."""

BELOW_CAP = 0.7
"""Windows are sized to have so much of a cap: days differ, and an answer at the cap is wasted."""

MOST_FAILED_PROOFS = 50
"""So many empty spans whose neighbours brought nothing, and what is left of them is put down as it is."""

PROBED_DAYS = 366
"""Where nothing was found at all, so many days are asked for one by one."""

SAMPLED_DAYS = 100
"""Of more days than these, so many that are spread evenly."""

PROBED_BY_HOURS = 31
"""So many of them are asked for by hours too: a PACS that answers nothing for too much may have some."""

WIDER = (7, 90, 1000)
"""So many days before and after empty ones are asked for, until some have studies."""

MOST_WIDENED = 31
"""For no more empty spans than these: what a thousand days around one do not prove, those of the next will not."""

LOST = "the association is lost again and again"
"""Why a sweep is given up by the network."""


@dataclass
class Agenda:
    """The days from `date_from` to `date_to` (None: an open end), newest first, less those `covered`.

    Windows adapt their length so that an answer has about `target_rows` rows. Without either day everything is asked
    for, and last of all the studies without a date. Their query matches every study, so that an answer with fewer
    than all days together have (`dated`, those of `covered` to begin with) proves itself capped.
    """

    date_from: date | None
    date_to: date | None
    today: date
    covered: Iterable[Window] = ()
    target_rows: int = 5000
    dated: int = 0
    known: Known = field(default_factory=Known)
    undated_alone: bool = False
    """No day is due, so that none of this sweep tells how many studies the answer for all must have."""
    abandoned: str | None = None
    """Why no further window is handed out though some are due, None while all is well."""
    cap: int | None = field(init=False)
    """Rows that no answer of this PACS has more of, as far as that is known."""
    doubts: Doubts = field(default_factory=Doubts)
    notes: list[tuple[Window, Accept]] = field(default_factory=list)
    """What came out later about windows that were split; for the ledger, to be taken away."""
    _gaps: Gaps = field(init=False)
    _undated: bool = field(init=False)
    _parts: list[Ask] = field(default_factory=list)
    _tries: Counter[Ask] = field(default_factory=Counter)
    _outstanding: set[Ask] = field(default_factory=set)
    _trials: list[Trial] = field(default_factory=list)
    _narrowings: Narrowings = field(init=False)
    _empties: Empties = field(default_factory=Empties)
    _proofs: set[Window] = field(default_factory=set)
    """Empty spans that are being asked for together with a neighbour."""
    _not_empty: int = 0
    """How many of them had studies then: their ends had been left out of ranges."""
    _length: int = DAY
    _largest: int = 0
    _failures: int = 0
    _unproven: int = 0
    _refused_ranges: int = 0
    _ignored_days: int = 0
    _cap_proven: bool = False
    """Whether this sweep saw answers capped there, so that shorter ones are whole."""
    _crowded: bool = False
    """Whether a window had to be made smaller: only then are days cut without having been asked for whole."""
    _rate: float = 0.0
    """Rows in a second of the axis, by the last answer that had some, halved by each that had none."""
    _probed: int = 0
    """Empty days without a neighbour as proof that were asked for by hours."""
    _times_helped: bool = False
    """Whether an answer about part of a day had rows and was whole."""
    _has_time: bool = field(init=False)
    _tails: set[str] = field(default_factory=set)
    _undated_apart: int | None = None
    """Undated studies in parts of the answer for all studies, None where such were not asked for."""
    _undated_rows: int = 0
    _untestable: bool = False
    """Whether such parts are of no use."""
    _ends: set[str] = field(default_factory=set)
    """Ends of ranges that were seen to belong to them: `low`, `high`."""
    _trusted: set[Window] = field(default_factory=set)
    """Days proven by their hours, which are asked for again because the hours lack studies without a time."""
    _tested_undated: int = 0
    _widths: dict[Span, Iterator[int]] = field(default_factory=dict)
    """By how many days more an empty span without a neighbour is to be widened, as long as that proves nothing."""

    def __post_init__(self) -> None:
        covered = list(self.covered)
        done = [span_of(one) for one in (*covered, *[Window()] * self.undated_alone) if one.key is None]
        self._gaps = Gaps(days_of(self.date_from, self.date_to), done, self.today)
        self._undated = self.date_from is None and self.date_to is None and UNDATED not in covered
        for window in self.known.busy:
            self._empties.busy(span_of(window))
        self._narrowings = Narrowings(self.known.unsupported)
        self._has_time = "StudyTime" not in self.known.unsupported
        self.cap = self.known.cap
        self.doubts.always_timed = bool(self.known.always_timed)
        self.doubts.go_on(self.known.by_hours, self.known.rows)
        self._aim()

    @property
    def found_out(self) -> Known:
        """What is known of the PACS by now."""
        times = frozenset() if self._has_time else frozenset({"StudyTime"})
        return Known(self.cap, frozenset(self._narrowings.unsupported | times), self.doubts.are_timed)

    @property
    def exhausted(self) -> bool:
        """Whether every window that was due has been asked for and settled."""
        return not (self._outstanding or self._parts or self._gaps or self._empties or self._undated)

    @property
    def finished(self) -> bool:
        """Whether nothing is due and nothing is being asked."""
        return self.exhausted or (self.abandoned is not None and not self._outstanding)

    @property
    def days_due(self) -> int:
        """How many days since 1970, or since `date_from`, are still to be handed out."""
        return self._gaps.days

    def next(self) -> Ask | None:
        """Hand out a question, or None when there is none now: `finished`, or wait for what is being asked."""
        if self.abandoned is not None:
            return None
        ask = self._parts.pop() if self._parts else self._newest() or self._proof() or self._last()
        if ask is not None:
            self._outstanding.add(ask)
        return ask

    def abandon(self, reason: str) -> None:
        """Hand out nothing more: the PACS turned us away outside any answer."""
        self.abandoned = self.abandoned or reason
        self._outstanding.clear()

    def why_not(self, last: str | None) -> str | None:
        """Say why there are windows that were not asked for, with what was said of the `last` one that was cut off."""
        if self.abandoned == LOST and last is not None:
            return f"{LOST}: {last}"
        return self.abandoned or last

    def take_notes(self, *, over: bool = False) -> list[tuple[Window, Accept]]:
        """Give what came out later about windows, each once; at the end, or `over` before it, what is in doubt too."""
        notes, self.notes = self.notes, []
        return notes + self.doubts.take(self._largest, self.cap) if self.finished or over else notes

    def _answered_whole(self, span: Span, rows: int) -> None:
        """Note that days which were cut had been answered whole: for whoever goes on with this sweep, too."""
        days = self.doubts.answered_whole(span, rows)
        for window in days if rows else ():
            self._note(window, COMPLETE)

    def _newest(self) -> Ask | None:
        is_crowded = self._rate * DAY > self.target_rows
        span = self._gaps.take(self._length if is_crowded else max(self._length, DAY))
        if span is None:
            return None
        if not span.is_whole_days:
            self.doubts.cut_days.add(span.first // DAY)
        return Ask(span.window, widened(span, self._ends))

    def _proof(self) -> Ask | None:
        """Hand out an empty span together with its neighbour, once the days between have been asked for."""
        while self._empties and not self._outstanding:
            span, neighbour = self._empties.take()
            ranges_work = self._gaps.longest > DAY or not span.is_whole_days
            query = None
            if ranges_work and self._empties.failed < MOST_FAILED_PROOFS:
                query = self._wider(span) if neighbour is None else joined(span, neighbour)
            if query is not None:
                self._proofs.add(span.window)
                return Ask(span.window, widened(query, self._ends))
            if span.is_whole_days:
                self._nothing_found(span, alone=neighbour is None, ranges_work=ranges_work)
            else:
                self._no_hours_found(span)
            if self._gaps:
                return self._newest()
        return None

    def _wider(self, span: Span) -> Span | None:
        """Give more days around empty ones without a neighbour: if some have studies, these have none. None at last."""
        if not span.is_whole_days or BEGINNING in span or END in span:
            return None
        if span not in self._widths and len(self._widths) >= MOST_WIDENED:
            return None
        days = next(self._widths.setdefault(span, iter(WIDER)), None)
        return None if days is None else Span(span.first - days * DAY, span.last + days * DAY)

    def _nothing_found(self, span: Span, *, alone: bool, ranges_work: bool) -> None:
        """Ask for less where no neighbour proves anything, and settle what is left."""
        days = span.days
        is_begun = False
        if alone and self._probed < PROBED_BY_HOURS and days <= PROBED_DAYS:
            is_begun = self._put_back(span, 8 if days == 1 else days)
        elif alone and ranges_work and self._empties.merging:
            is_begun = self._gaps.sample(span, SAMPLED_DAYS)
        if is_begun:
            self._empties.merging = False
            if days == 1:
                self._probed += 1
                self._trials.append(Trial(span, 0, 0))
        elif (alone and self._gaps.is_ahead(span)) or (days == 1 and not ranges_work):
            # Who ignores ranges sends all it has for one: so much is not too much, and a day is less.
            self._note(span.window, COMPLETE)
        else:
            reason = "no rows, and no neighbouring day as proof"
            self._note(span.window, Accept(WindowState.SUSPICIOUS_ZERO, reason))

    def _no_hours_found(self, span: Span) -> None:
        """Ask for less where no other hour of the day proves anything, as long as that is cheap."""
        cheap = 0 < self._empties.failed < MOST_FAILED_PROOFS and span.length > DAY // 16
        if cheap and self._put_back(span, GROWTH):
            self._empties.failed += 1
            return
        reason = "no rows, and no other hours of it as proof"
        self._note(span.window, Accept(WindowState.SUSPICIOUS_ZERO, reason))

    def _in_empty_day(self, span: Span) -> bool:
        """Say whether these are hours of a day that is asked for by hours because it was answered without a study."""
        return any(not one.rows and one.span.length == DAY and one.span.holds(span) for one in self._trials)

    def _know_of_empty_answers(self) -> None:
        """Believe no empty answer any more without a proof: this PACS answers nothing where there is too much."""
        self._empties.merging = False
        self._empties.failed += 1
        self._crowded = True

    def _last(self) -> Ask | None:
        """Hand out the studies without a date, once all days are settled."""
        if not self._undated or self._outstanding or self._empties:
            return None
        self._undated = False
        return Ask(UNDATED, UNDATED)

    def _aim(self) -> None:
        """Stay below the cap from now on."""
        if self.cap is not None:
            self.target_rows = max(1, min(self.target_rows, int(self.cap * BELOW_CAP)))

    def _put_back(self, span: Span, parts: int) -> bool:
        """Have a span asked for again in smaller windows; say whether it has any."""
        smallest = 1 if self._has_time else DAY
        return self._gaps.put_back(span, parts, smallest)

    def _cut(self, span: Span, middle: int | None) -> bool:
        """Have a span asked for again in the two parts that `middle` makes; say whether it does."""
        if middle is None or not span.first < middle <= span.last or (span.days == 1 and not self._has_time):
            return False
        self._gaps.cut(span, middle)
        return True

    def _narrow(self, window: Window) -> bool:
        """Have a window asked for by the values of a further key; say whether there is one."""
        parts = self._narrowings.begin(window)
        self._parts.extend(Ask(part, part) for part in reversed(parts))
        return bool(parts)

    def _note(self, window: Window, verdict: Accept) -> None:
        """Say something of a window that was split, or held back, before."""
        self._unproven += verdict != COMPLETE
        self.notes.append((window, verdict))

    def _adapt(self, span: Span, rows: int, others: int = 0) -> None:
        """Size the next window by the rows that a span had, and by others that came with them and will again."""
        if BEGINNING in span or END in span:
            return
        if rows:
            self._rate = rows / span.length
        longest = min(max(span.length, self._length) * GROWTH, END)
        room = max(1, self.target_rows - others)
        fitting = span.length * room // rows if rows else longest
        smallest = 1 if self._has_time and self._crowded else DAY
        self._length = max(smallest, min(fitting, longest))
