"""A PACS as small as can be, for the sweep machine: studies in a list, and ways of answering wrongly. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np

from crawler.model import Outcome, Window, WindowState
from crawler.plan.answers import Accept, Answer, Ask, Retry, Split
from crawler.plan.doubts import UNTIMED
from crawler.plan.sight import Sight, middle_of
from crawler.plan.spans import DAY, Span, second_of_day, span_of
from crawler.plan.sweep import SweepMachine

FAR = 20_000
"""A bound that no plan below comes near: reaching it means that the machine does not end."""


@dataclass(frozen=True)
class Study:
    """One study: `day` is an ordinal, `second` that of the day or None where it has no time."""

    uid: int
    day: int | None
    second: int | None
    modality: str = "CT"
    patient: str = "1"


@dataclass
class ToyPacs:
    """Answers queries on a list of studies; every other field is a way of not doing it well."""

    studies: list[Study]
    cap: int = 0
    over_cap: Outcome = Outcome.SUCCESS
    """What a query with more rows than the cap ends with; the cap's rows come unless it refuses."""
    zero_over_cap: bool = False
    ignores: frozenset[str] = frozenset()
    ignores_ranges: bool = False
    exclusive_ends: bool = False
    undated_always: bool = False
    untimed_always: bool = False
    omits_times: bool = False
    """Whether answers lack the times that it matches on."""
    lost: frozenset[int] = frozenset()
    """Numbers of the queries whose association is lost, at once or amid their rows."""
    queries: int = field(default=0, init=False)

    def answer(self, ask: Ask) -> tuple[Answer, list[Study]]:
        """Answer one question, as the driver would report it, and give the studies that came."""
        self.queries += 1
        rows = [study for study in self.studies if self._matches(study, ask.query)]
        if self.queries in self.lost:
            came = rows[: self.queries % (len(rows) + 1)]
            return Answer(Outcome.INTERRUPTED, len(came), _sight(came, ask)), came
        ended = Outcome.SUCCESS
        if self.cap and len(rows) > self.cap:
            ended = self.over_cap
            refused = self.over_cap in (Outcome.TOO_MANY, Outcome.FAILED) or self.zero_over_cap
            rows = [] if refused else rows[: self.cap]
        told = [replace(study, second=None) for study in rows] if self.omits_times else rows
        return Answer(ended, len(rows), _sight(told, ask)), rows

    def _matches(self, study: Study, query: Window) -> bool:
        return (
            self._in_days(study, query)
            and self._in_times(study, query)
            and all(self._has(study, condition) for condition in (query.key or "").split("&") if condition)
        )

    def _in_days(self, study: Study, query: Window) -> bool:
        is_range = query.date_from != query.date_to
        if query.date_from is None and query.date_to is None:
            return True
        if "StudyDate" in self.ignores or (self.ignores_ranges and is_range):
            return True
        if study.day is None:
            return self.undated_always
        margin = 1 if self.exclusive_ends and is_range else 0
        low, high = _ordinal(query.date_from), _ordinal(query.date_to)
        return (low is None or low + margin <= study.day) and (high is None or study.day <= high - margin)

    def _in_times(self, study: Study, query: Window) -> bool:
        if (query.time_from is None and query.time_to is None) or "StudyTime" in self.ignores or self.ignores_ranges:
            return True
        if study.second is None:
            return self.untimed_always
        margin = 1 if self.exclusive_ends else 0
        low = None if query.time_from is None else second_of_day(query.time_from) + margin
        high = None if query.time_to is None else second_of_day(query.time_to) - margin
        return (low is None or low <= study.second) and (high is None or study.second <= high)

    def _has(self, study: Study, condition: str) -> bool:
        keyword, _, value = condition.partition("=")
        if keyword in self.ignores or keyword == "StudyDate":
            return True
        if keyword == "ModalitiesInStudy":
            return study.modality == value
        return _is_like(study.patient, value)


def _is_like(text: str, pattern: str) -> bool:
    return text.startswith(pattern[:-1]) if pattern.endswith("*") else text.endswith(pattern[1:])


def _ordinal(day: date | None) -> int | None:
    return None if day is None else day.toordinal()


def _on_clock(study: Study, window: Window) -> bool:
    """Say whether a study has a time, and one between those of a window."""
    low, high = (None if clock is None else second_of_day(clock) for clock in (window.time_from, window.time_to))
    return study.second is not None and not _beyond(study.second, low, high)


def _sight(rows: list[Study], ask: Ask) -> Sight:
    window, query = span_of(ask.window), ask.query
    first, last = _ordinal(query.date_from), _ordinal(query.date_to)
    low = None if query.time_from is None else second_of_day(query.time_from)
    high = None if query.time_to is None else second_of_day(query.time_to)
    dated = [study for study in rows if study.day is not None]
    key = (query.key or "").removeprefix("StudyDate=")
    return Sight(
        dated=len(dated),
        inside=sum(_inside(study, window) for study in dated),
        outside_days=sum(_beyond(study.day, first, last) for study in dated),
        outside_times=sum(_beyond(study.second, low, high) for study in rows if study.second is not None),
        outside_keys=sum(not all(_agrees(study, one) for one in key.split("&") if one) for study in rows),
        undated=len(rows) - len(dated),
        undated_inside=sum(study.day is None and _on_clock(study, ask.window) for study in rows),
        untimed=sum(study.second is None for study in dated),
        on_first_day=sum(study.day == first for study in dated),
        on_last_day=sum(study.day == last for study in dated),
        tails=frozenset(study.patient[-1] for study in rows if study.patient),
        middle=_middle([study for study in dated if _inside(study, window)], window),
    )


def _middle(studies: list[Study], span: Span) -> int | None:
    if span.days > 1:
        return middle_of(np.array([one.day * DAY for one in studies if one.day is not None]), span)
    seconds = [one.second for one in studies if one.second is not None]
    return middle_of(np.array(seconds, dtype=np.int64) + span.first // DAY * DAY, span)


def _beyond(value: int | None, low: int | None, high: int | None) -> bool:
    return value is not None and ((low is not None and value < low) or (high is not None and value > high))


def _agrees(study: Study, condition: str) -> bool:
    keyword, _, value = condition.partition("=")
    return study.modality == value if keyword == "ModalitiesInStudy" else _is_like(study.patient, value)


def _inside(study: Study, span: Span) -> bool:
    assert study.day is not None
    if span.is_whole_days:
        return span.first <= study.day * DAY <= span.last
    return study.second is not None and span.first <= study.day * DAY + study.second <= span.last


@dataclass
class Swept:
    """What a sweep of a toy PACS ended with: the studies that came, and the ledger in the order it was written."""

    found: set[Study]
    ledger: list[tuple[Window, Accept]]

    def is_proven(self, study: Study) -> bool:
        """Whether the ledger claims that nothing is missing where this study is."""
        states = [verdict.state for window, verdict in self.ledger if _covers(window, study)]
        return bool(states) and states[-1] is WindowState.COMPLETE

    def is_on_record(self, study: Study) -> bool:
        """Whether the ledger says of a window with this study that it is not complete."""
        return any(verdict.state is not WindowState.COMPLETE and _covers(w, study) for w, verdict in self.ledger)


def _covers(window: Window, study: Study) -> bool:
    if study.day is None:
        return window.undated
    if window.key is not None and (window.key != UNTIMED or study.second is not None):
        return False
    span = span_of(window)
    if study.second is None:
        return span.first // DAY <= study.day <= span.last // DAY
    return span.first <= study.day * DAY + study.second <= span.last


def sweep(machine: SweepMachine, pacs: ToyPacs) -> Swept:
    """Drive the machine against a toy PACS until it is finished."""
    swept = Swept(set(), [])
    while (ask := machine.next()) is not None:
        while True:
            answer, rows = pacs.answer(ask)
            swept.found.update(rows)
            verdict = machine.answered(ask, answer)
            if not isinstance(verdict, Retry):
                break
        if not isinstance(verdict, Split):
            swept.ledger.append((ask.window, verdict))
        swept.ledger.extend(machine.take_notes())
        assert pacs.queries < FAR, "the machine does not end"
    assert machine.finished
    swept.ledger.extend(machine.take_notes())
    return swept
