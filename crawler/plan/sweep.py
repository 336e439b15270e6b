"""The sweep machine: hands out the windows that are due and decides what each answer means.

Events in (`answered`), questions and verdicts out. It is the one owner of sizing, splitting, retrying and giving up:
whoever drives it only asks the PACS and reports. It owns no clock, no socket and no table. Pure.

How it knows that nothing is missing. A PACS that caps its answers sends no more than so many rows, and an answer with
fewer rows than another one had is whole. So only an answer that is the largest yet is in doubt, or one of a round
number of rows: it is tested by asking for its parts. Parts with more studies prove the cap, and from then on windows
stay below it; parts with as many prove the answer. A refusal splits without a test.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from crawler.model import UNDATED, Outcome, Window, WindowState
from crawler.plan.agenda import BELOW_CAP, GROWTH, LOST, MOST_FAILED_PROOFS, Agenda
from crawler.plan.answers import COMPLETE, REFUSALS, SPLIT, Accept, Answer, Ask, Retry, Verdict
from crawler.plan.doubts import ROUND, SMALLEST_CAP
from crawler.plan.narrow import keyword_of, whole_of
from crawler.plan.sight import Sight
from crawler.plan.spans import DAY, Span, span_of
from crawler.plan.trials import Comparison, Trial

RETRY_AFTER = (1.0, 5.0, 20.0)
"""Seconds to wait before each new try of a window whose answer was cut off."""

GIVE_UP_AFTER = 5
"""So many windows in a row without a full answer, none splittable, and the PACS is left alone."""

MOST_REFUSED_RANGES = 30
"""So many ranges of days refused, none answered in between: this PACS would have to be asked day by day for decades."""

MOST_SINGLE_DAYS = 1500
"""No more days than these are asked for one by one where a PACS ignores ranges of days."""

BUSY = 10
"""No rows in some hours where the neighbours let one expect so many is in doubt."""

LARGEST_CAP = 20_000
"""No PACS caps its answers above this; up to here the answer for all studies is tested when some are undated."""

ENOUGH_CUTS = 4
"""Halves of halves with as many rows as the whole, and the rows are those of a cap: four isolate a second of a day."""

MOST_TESTS_OF_UNDATED = 30
"""So many answers with undated studies alone are tested by their parts; others are left in doubt."""


@dataclass
class SweepMachine(Agenda):
    """Decide what each answer means for its window and for what is asked next."""

    def answered(self, ask: Ask, answer: Answer) -> Verdict:
        """Decide what the answer to a question means. Every verdict but Retry ends its being asked."""
        if answer.outcome is Outcome.INTERRUPTED:
            return self._cut_off(ask)
        self._outstanding.discard(ask)
        verdict = self._judge(ask, answer)
        if verdict == COMPLETE:
            self._failures = 0
            self._refused_ranges *= span_of(ask.window).days == 1
        elif isinstance(verdict, Accept):
            self._unproven += 1
        if isinstance(verdict, Accept):
            self._settle(ask.window, answer, complete=verdict == COMPLETE and not self.doubts.doubts(ask.window))
        return verdict

    def _judge(self, ask: Ask, answer: Answer) -> Verdict:
        match answer.outcome:
            case Outcome.SUCCESS:
                return self._believe(ask, answer)
            case Outcome.TOO_MANY | Outcome.CANCELLED | Outcome.FAILED if ask.window in self._proofs:
                self._proofs.remove(ask.window)
                return COMPLETE  # a PACS that refuses what is too much does not answer nothing instead
            case Outcome.TOO_MANY | Outcome.CANCELLED | Outcome.FAILED:
                self._heed(answer)
                return self._smaller(ask, WindowState.REFUSED, REFUSALS[answer.outcome])
            case _:
                self.abandoned = "the PACS refuses the query"
                return Accept(WindowState.REFUSED, answer.outcome.value)

    def _heed(self, answer: Answer) -> None:
        """Stay below the rows after which the PACS ended an answer because there were more of them.

        Orthanc ends it as if we had cancelled it, which we never do.
        """
        if answer.rows and answer.outcome is not Outcome.FAILED:
            self.target_rows = max(1, min(self.target_rows, int(answer.rows * BELOW_CAP)))

    def _believe(self, ask: Ask, answer: Answer) -> Verdict:
        """Decide whether an answer that ended with success is whole."""
        if ask.window.undated:
            return self._believe_undated(ask, answer)
        span, sight = span_of(ask.window), answer.sight
        self._learn(ask, sight)
        if sight.outside_days:
            return self._days_ignored(span, sight)
        if sight.outside_times:
            return self._times_ignored(span)
        if sight.outside_keys:
            return self._keys_ignored(ask.window)
        if ask.window in self._proofs:
            self._proofs.remove(ask.window)
            if not sight.inside:
                return self._believe_proof(span, sight)
            self._not_empty += 1
        if self.cap is not None and answer.rows > self.cap:  # it was none, or it was lifted
            self.cap, self._cap_proven = None, False
        if self.cap is not None and answer.rows == self.cap:
            if sight.timeless and span.days == 1 and ask.window.key is None:
                return self._without_times(span, f"{answer.rows} rows, the cap of this PACS, none with a time")
            return self._smaller(ask, WindowState.CAPPED, f"{answer.rows} rows, the cap of this PACS")
        if sight.timeless and span.length < DAY:
            if not self._cap_proven and answer.rows >= max(self._largest, SMALLEST_CAP):
                return self._without_times(span, f"{answer.rows} rows without a time come with all hours", again=False)
            if self._in_empty_day(span):
                self._know_of_empty_answers()
            self._adapt(span, 0, answer.rows)
            return COMPLETE
        largest, self._largest = self._largest, max(self._largest, answer.rows)
        if ask.window.key is not None:
            return COMPLETE
        if ask.window in self._trusted:
            return self._leave_in_doubt(ask, answer)
        in_doubt = not self._cap_proven and (answer.rows >= largest or answer.rows % ROUND == 0)
        if sight.dated and in_doubt:
            testable = answer.rows > 1 and self._not_empty < MOST_FAILED_PROOFS
            return self._test(ask, answer) if testable else self._leave_in_doubt(ask, answer)
        if not sight.dated:
            filled = in_doubt and sight.undated >= SMALLEST_CAP
            return self._test_undated(ask, answer) if filled else self._believe_empty(ask, span)
        self._times_helped |= span.length < DAY
        own = -(-sight.inside * answer.rows // max(1, answer.rows - sight.repeated))
        self._adapt(span, own, answer.rows - own)
        return COMPLETE

    def _believe_undated(self, ask: Ask, answer: Answer) -> Verdict:
        """Decide whether all studies came, by the dated ones among them and by the undated ones of their parts."""
        sight, dated = answer.sight, answer.sight.dated
        if ask.window.key != UNDATED.key:
            return self._count_undated(answer)
        looks_capped = sight.undated or self.undated_alone or answer.rows % SMALLEST_CAP == 0
        in_doubt = looks_capped and max(self._largest, SMALLEST_CAP) <= answer.rows <= LARGEST_CAP
        if in_doubt and self._undated_apart is None:
            self._undated_rows = answer.rows
            self._ask_undated_apart(self._tails | sight.tails)
            return SPLIT
        if self._untestable:
            return Accept(WindowState.CAPPED, f"{answer.rows} rows, more than any other answer, and no way to test it")
        if (self._undated_apart or 0) > sight.undated:
            reason = f"{sight.undated} studies at once, {self._undated_apart} in parts by PatientID"
            return Accept(WindowState.CAPPED, reason)
        if dated < self.dated:
            return Accept(WindowState.CAPPED, f"{dated} dated studies in the answer for all, not {self.dated}")
        self._largest = max(self._largest, answer.rows)
        if self._unproven or self.doubts.left(self._largest, self.cap) or answer.rows == self.cap:
            return Accept(WindowState.CAPPED, "some days are not proven, so that nothing proves the answer for all")
        return COMPLETE

    def _ask_undated_apart(self, tails: Set[str]) -> None:
        """Ask for all studies by how their PatientID ends, and once more for all of them."""
        parts = [UNDATED.narrowed("PatientID", f"*{tail}") for tail in sorted(tails)]
        self._undated_apart, self._undated = 0, True
        self._parts.extend(Ask(part, part) for part in parts)

    def _count_undated(self, answer: Answer) -> Verdict:
        """Count the undated studies of a part, unless it is the whole again."""
        sight = answer.sight
        if sight.outside_keys or answer.rows >= self._undated_rows:
            self._untestable = True
            self._parts = [ask for ask in self._parts if not ask.window.undated]
        self._undated_apart = (self._undated_apart or 0) + sight.undated
        return SPLIT

    def _believe_empty(self, ask: Ask, span: Span) -> Verdict:
        """Leave empty days to be proven by their neighbours; doubt empty hours where the neighbours were busy.

        Hours need a proof too at a PACS that once answered nothing for too much.
        """
        self._rate /= 2
        if span.is_whole_days or self._empties.failed or self._in_empty_day(span):
            self._empties.empty(span)
            self._adapt(span, 0)
            self._settle(ask.window, Answer(Outcome.SUCCESS), complete=True)
            return SPLIT
        expected = 2 * self._rate * span.length
        if expected >= BUSY and span.length >= DAY // 8 and self._put_back(span, GROWTH):
            self._trials.append(Trial(span, 0, 0))
            return SPLIT
        self._adapt(span, 0)
        return COMPLETE

    def _test_undated(self, ask: Ask, answer: Answer) -> Verdict:
        """Ask for the parts of days whose answer the undated studies, which come with every day, may have filled.

        Within a day their times tell them apart: parts with more of them than the whole prove that it was capped.
        """
        span, undated = span_of(ask.window), answer.sight.undated_inside
        in_vain = sum(one.rows == answer.rows and one.span.holds(span) for one in self._trials)
        worthwhile = undated and in_vain < ENOUGH_CUTS and self._tested_undated < MOST_TESTS_OF_UNDATED
        if worthwhile and self._put_back(span, GROWTH):
            self._tested_undated += 1
            self.doubts.note_undated(span, answer)
            self._trials.append(Trial(span, answer.rows, 0, undated if span.days == 1 else None))
            return SPLIT
        self.doubts.untested[ask.window] = answer.rows
        return self._believe_empty(ask, span)

    def _believe_proof(self, span: Span, sight: Sight) -> Verdict:
        """Believe that days are empty when their neighbour came with them; otherwise ask for less."""
        if sight.dated:
            self._empties.proven(span)
            return COMPLETE
        if span not in self._widths:
            return self._distrust_empty(span)
        self._empties.empty(span)
        return SPLIT

    def _distrust_empty(self, span: Span) -> Verdict:
        self._know_of_empty_answers()
        reason = "no rows, and none together with days that have some"
        return SPLIT if self._put_back(span, GROWTH) else Accept(WindowState.SUSPICIOUS_ZERO, reason)

    def _test(self, ask: Ask, answer: Answer) -> Verdict:
        """Ask for the parts of a window whose answer may be capped; what has no parts stays in doubt.

        Where the rows came from tells where to cut it into halves, each of which is smaller then and not in doubt;
        but not where such halves have as many rows again: that is how a cap looks, and then the rows tell nothing.
        """
        span, sight = span_of(ask.window), answer.sight
        below_a_day = span.days == 1
        if below_a_day and sight.timeless:
            return self._leave_in_doubt(ask, answer)
        in_vain = sum(one.cut and one.rows == answer.rows and one.span.holds(span) for one in self._trials)
        cut = in_vain < ENOUGH_CUTS and self._cut(span, sight.middle)
        if cut or self._put_back(span, max(2, -(-answer.rows // self.target_rows))):
            untimed = sight.untimed if below_a_day else 0
            self.doubts.note_undated(span, answer)
            self._trials.append(Trial(span, answer.rows, sight.inside - untimed, again=untimed > 0, cut=cut))
            return SPLIT
        return self._leave_in_doubt(ask, answer)

    def _leave_in_doubt(self, ask: Ask, answer: Answer) -> Accept:
        """Take an answer for whole until the end tells whether any had more rows."""
        self.doubts.untested[ask.window] = answer.rows
        return COMPLETE

    def _smaller(self, ask: Ask, state: WindowState, reason: str) -> Verdict:
        """Ask for less: a shorter time, then further keys. What can get no smaller is settled as it is."""
        span = span_of(ask.window)
        if state is WindowState.REFUSED and span.days == 1 and self._gaps.is_far_ahead(span):
            self.abandoned = "the PACS refuses even a day far ahead, as if it ignored StudyDate"
            return Accept(state, reason)
        expected = self._rate * span.length / self.target_rows
        parts = GROWTH if not expected else max(2, min(GROWTH, round(expected)))
        if ask.window.key is None and self._put_back(span, parts):
            self._crowded = True
            self._refused_ranges += span.days > 1
            if self._refused_ranges > MOST_REFUSED_RANGES:
                self.abandoned = "the PACS refuses every range of days"
            self._length = min(self._length, self._gaps.limit)
            return SPLIT
        if state is WindowState.REFUSED and span.length < DAY and ask.window.key is None and not self._times_helped:
            return self._times_ignored(span)
        if self._narrowings.is_probe(ask.window):
            return self._keys_ignored(ask.window)
        if self._narrow(ask.window):
            return SPLIT
        if state is WindowState.REFUSED:
            self._count_failure("the PACS refuses even the smallest windows")
        return Accept(state, reason)

    def _days_ignored(self, span: Span, sight: Sight) -> Verdict:
        """Ask day by day where a range is ignored; where even a day is, nothing can be proven."""
        days = max(span.days, self._gaps.days)
        if span.days > 1 and days <= MOST_SINGLE_DAYS and self._put_back(span, span.days):
            self._gaps.longest = DAY
            self._empties.merging = False
            return SPLIT
        self._ignored_days += 1
        if self._ignored_days >= GIVE_UP_AFTER:
            self.abandoned = "the PACS ignores StudyDate"
        return Accept(WindowState.FILTER_IGNORED, f"{sight.outside_days} rows of other days")

    def _times_ignored(self, span: Span) -> Verdict:
        """Give up on times for the rest of the sweep."""
        self._has_time = False
        self._length = max(self._length, DAY)
        return self._without_times(span, "StudyTime is ignored and the day cannot be split otherwise")

    def _without_times(self, span: Span, reason: str, *, again: bool = True) -> Verdict:
        """Ask for no more hours of a day: for the whole day again if they were a test, else by further keys."""
        day = Span(span.first // DAY * DAY, span.first // DAY * DAY + DAY - 1)
        self._gaps.drop(day)
        self.doubts.cut_days.discard(day.first // DAY)
        test = next((trial for trial in self._trials if trial.span == day), None)
        self._trials = [trial for trial in self._trials if not day.holds(trial.span)]
        if test is not None:
            self._take_back(test, day.length - test.left)
        if test is not None and again:
            self._parts.append(Ask(day.window, day.window))
            return SPLIT
        if day.window in self._narrowings or self._narrow(day.window):
            return SPLIT
        if span != day:
            self._note(day.window, Accept(WindowState.CAPPED, reason))
            self._settle(day.window, Answer(Outcome.SUCCESS), complete=False)
            return SPLIT
        return Accept(WindowState.CAPPED, reason)

    def _keys_ignored(self, part: Window) -> Verdict:
        """Ask for no other value of a key that this PACS does not match on, but for those of the next one."""
        siblings = [ask for ask in self._parts if whole_of(ask.window) == whole_of(part)]
        self._parts = [ask for ask in self._parts if ask not in siblings]
        outstanding = sum(whole_of(ask.window) == whole_of(part) for ask in self._outstanding)
        parts = self._narrowings.ignored(part, outstanding)
        self._parts.extend(Ask(part, part) for part in reversed(parts))
        return Accept(WindowState.FILTER_IGNORED, f"{keyword_of(part)} is not matched on")

    def _cut_off(self, ask: Ask) -> Verdict:
        tried = self._tries[ask]
        if tried < len(RETRY_AFTER) and self.abandoned is None:
            self._tries[ask] += 1
            return Retry(RETRY_AFTER[tried])
        self._outstanding.discard(ask)
        self._count_failure(LOST)
        self._settle(ask.window, Answer(Outcome.INTERRUPTED), complete=False)
        return Accept(WindowState.INTERRUPTED, "no final response")

    def _count_failure(self, reason: str) -> None:
        self._failures += 1
        if self._failures >= GIVE_UP_AFTER:
            self.abandoned = reason

    def _settle(self, window: Window, answer: Answer, *, complete: bool) -> None:
        """Count a settled window towards the trials and narrowings that it is a part of."""
        if window.key is not None:
            if not window.undated:
                self._settle_part(window)
            return
        span = span_of(window)
        if complete and answer.sight.inside:
            self._empties.busy(span)
        self.dated += answer.sight.inside
        self.doubts.whole_days += answer.sight.inside if complete and span.is_whole_days else 0
        holding = sorted((one for one in self._trials if one.span.holds(span)), key=lambda one: one.span.length)
        for trial in holding:
            trial.add(span, answer.sight, complete=complete)
        for trial in holding:
            if trial.left <= 0:
                self._conclude(trial)

    def _settle_part(self, part: Window) -> None:
        """Count a part by key; when all are settled, say what they leave open."""
        whole = whole_of(part)
        if self._narrowings.settle(part):
            self._note(whole, Accept(WindowState.CAPPED, f"asked for by {keyword_of(part)} alone"))
            if whole.key is None:
                self._settle(whole, Answer(Outcome.SUCCESS), complete=False)
            else:
                self._settle_part(whole)

    def _conclude(self, trial: Trial) -> None:
        self._trials.remove(trial)
        match trial.comparison:
            case Comparison.MORE if not trial.rows:
                self._know_of_empty_answers()
            case Comparison.MORE:
                self.cap, self._cap_proven, self._crowded = trial.rows, True, True
                self._aim()
            case Comparison.FEWER:
                reason = f"{trial.inside} studies at once, {trial.found} in parts"
                self._note(trial.span.window, Accept(WindowState.FILTER_IGNORED, reason))
            case Comparison.SAME:
                if trial.found and trial.span.is_whole_days:
                    self._empties.busy(trial.span)
                self._answered_whole(trial.span, trial.rows)
                self._adapt(trial.span, trial.rows)
                if trial.again:
                    self._take_back(trial, trial.span.length)
                    self._trusted.add(trial.span.window)
                    self._parts.append(Ask(trial.span.window, trial.span.window))

    def _take_back(self, trial: Trial, seconds: int) -> None:
        """Forget what so many seconds of a trial's span brought: it is asked for once more as a whole."""
        self.dated -= trial.found
        for outer in self._trials:
            if outer.span.holds(trial.span):
                outer.left += seconds
                outer.found -= trial.found

    def _learn(self, ask: Ask, sight: Sight) -> None:
        """Note what an answer shows of how this PACS matches ranges, and of studies without a time."""
        query = ask.query
        if query.date_from != query.date_to:
            self._ends |= {end for end, seen in (("low", sight.on_first_day), ("high", sight.on_last_day)) if seen}
        self._tails |= sight.tails
        self.doubts.untimed += sight.untimed if query.time_from is None and query.time_to is None else 0
