"""What can be seen in an answer: which rows belong to the question, and how the PACS understood it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, time
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crawler.columns import AS_OF_STUDIES
from crawler.model import Window
from crawler.plan.spans import DAY, Span, second_of_day, span_of

WILD = frozenset(["", "*", "?", "\\"])
"""What cannot stand for itself in a matching key (PS3.4 C.2.2.2.4)."""

_EPOCH = date(1970, 1, 1).toordinal() * DAY


@dataclass(frozen=True, slots=True)
class Sight:
    """Studies of an answer, each counted once per batch. What lies outside was not asked for."""

    dated: int = 0
    """Those with a date."""
    inside: int = 0
    """Those with a date (and time, where the window has one) inside the window that the query was for."""
    outside_days: int = 0
    outside_times: int = 0
    outside_keys: int = 0
    repeated: int = 0
    """Rows beyond the first of one study."""
    undated: int = 0
    undated_inside: int = 0
    """Those without a date, but with a time inside the window's."""
    untimed: int = 0
    on_first_day: int = 0
    on_last_day: int = 0
    tails: frozenset[str] = frozenset()
    """Last characters of the PatientIDs that came: by these any set of studies can be taken apart."""
    middle: int | None = None
    """The second on the axis of spans that parts those inside into two halves, None where nothing does."""

    def __add__(self, other: Sight) -> Sight:
        larger = self if self.inside >= other.inside else other
        counts = {one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(Sight)[:-2]}
        return Sight(**counts, tails=self.tails | other.tails, middle=larger.middle)

    @property
    def timeless(self) -> bool:
        """Whether there are rows and none of them has a time, so that times tell nothing about them."""
        return 0 < self.dated == self.untimed

    @property
    def outside(self) -> int:
        """Rows that do not answer the question, whichever key they contradict; one may count twice."""
        return self.outside_days + self.outside_times + self.outside_keys


def as_studies(items: pa.Table) -> pa.Table:
    """Give items of a worklist under the names by which windows speak of studies."""
    named = {name: items[meant] for name, meant in AS_OF_STUDIES.items()}
    return pa.table({**named, "PatientID": items["PatientID"]})


def see(rows: pa.Table, window: Window, query: Window) -> Sight:
    """Look at decoded STUDY rows of the answer to `query`, which was asked for the sake of `window`."""
    sent = rows.num_rows
    rows = _distinct(rows)
    days, times = rows["StudyDate"], rows["StudyTime"]
    in_query = _between(days, query.date_from, query.date_to)
    timed = query.time_from is not None or query.time_to is not None
    mine = rows.filter(belongs(rows, window)) if not window.undated else rows.slice(0, 0)
    return Sight(
        dated=_count(pc.is_valid(days)),
        inside=mine.num_rows,
        outside_days=_count(pc.and_(pc.is_valid(days), pc.invert(in_query))),
        outside_times=_count(pc.invert(_between(times, *_moments(query)))) if timed else 0,
        outside_keys=_count(_contradicting(rows, query.conditions)) if query.key else 0,
        repeated=sent - rows.num_rows,
        undated=_count(pc.is_null(days)),
        undated_inside=_count(
            pc.and_(pc.is_null(days), pc.and_(pc.is_valid(times), _between(times, *_moments(window))))
        ),
        untimed=_count(pc.and_(pc.is_null(times), pc.is_valid(days))),
        on_first_day=_count(pc.equal(days, query.date_from)) if query.date_from else 0,
        on_last_day=_count(pc.equal(days, query.date_to)) if query.date_to else 0,
        tails=frozenset(pc.unique(pc.utf8_slice_codeunits(rows["PatientID"], -1)).drop_null().to_pylist()) - WILD,
        middle=_middle(mine, window),
    )


def belongs(rows: pa.Table, window: Window) -> pa.ChunkedArray:
    """Say which rows are those that a window stands for, whatever else its answer brought."""
    days, times = rows["StudyDate"], rows["StudyTime"]
    if window.undated:
        return pc.is_null(days)
    mine = pc.and_(pc.is_valid(days), _between(days, window.date_from, window.date_to))
    if window.time_from is not None:
        mine = pc.and_(mine, pc.and_(pc.is_valid(times), _between(times, *_moments(window))))
    return mine


def stays(rows: pa.Table, window: Window) -> pa.ChunkedArray:
    """Say which rows to keep: those that belong, and those that lack the date or time by which they would."""
    if window.undated:
        return pc.is_null(rows["StudyDate"])
    kept = _between(rows["StudyDate"], window.date_from, window.date_to)
    return pc.and_(kept, _between(rows["StudyTime"], *_moments(window)))


def _middle(rows: pa.Table, window: Window) -> int | None:
    """Give where the newer half of a window's rows begins: a midnight, or within one day a second."""
    span = span_of(window)
    if span.days > 1:
        days = rows["StudyDate"].cast(pa.int32()).cast(pa.int64()).to_numpy()
        return middle_of(days * DAY + _EPOCH, span)
    times = rows["StudyTime"].drop_null().cast(pa.int64()).to_numpy()
    return middle_of(times // 1_000_000 + span.first // DAY * DAY, span)


def middle_of(moments: np.ndarray, span: Span) -> int | None:
    """Give where the newer half of some moments in a span begins, each the first second of its day or of itself.

    Where all are one, it is cut off from what lies before or, if it is the first, behind it.
    """
    if not len(moments):
        return None
    median = np.partition(moments, len(moments) // 2)[len(moments) // 2]
    if median == moments.min() and moments.max() > median:
        median = moments[moments > median].min()
    if median > span.first:
        return int(median)
    return span.first + (DAY if span.days > 1 else 1)


def _distinct(rows: pa.Table) -> pa.Table:
    """Drop repeated rows of one study; a PACS may send the same row twice."""
    uids = rows["StudyInstanceUID"].combine_chunks()
    if pc.count_distinct(uids, mode="all").as_py() == len(uids):
        return rows
    first = pa.table({"uid": uids, "row": pa.array(range(len(uids)))}).group_by("uid").aggregate([("row", "min")])
    return rows.take(first["row_min"])


def _between(values: pa.ChunkedArray, low: Any, high: Any) -> pa.ChunkedArray:
    """Say which values lie between two, both included, None being an open end; a null lies inside."""
    inside = pc.is_valid(values)
    if low is not None:
        inside = pc.and_kleene(inside, pc.greater_equal(values, pa.scalar(low, values.type)))
    if high is not None:
        inside = pc.and_kleene(inside, pc.less_equal(values, pa.scalar(high, values.type)))
    return pc.or_(pc.is_null(values), pc.fill_null(inside, fill_value=False))


def _moments(window: Window) -> tuple[time | None, time | None]:
    """Give the first and the last moment of a window's time range; its last second counts to its end."""
    return _moment(window.time_from, 0), _moment(window.time_to, 999_999)


def _moment(text: str | None, microsecond: int) -> time | None:
    if text is None:
        return None
    second = second_of_day(text)
    return time(second // 3600, second // 60 % 60, second % 60, microsecond)


def _contradicting(rows: pa.Table, conditions: Mapping[str, str]) -> pa.ChunkedArray:
    """Say which rows contradict a window's further key; a row without the attribute does not."""
    contradicting = pa.chunked_array([pa.array([False] * rows.num_rows)])
    for keyword, value in conditions.items():
        if not value:
            continue
        values = rows[keyword]
        if pa.types.is_list(values.type):
            agrees = pa.array([one is None or not one or value in one for one in values.to_pylist()], pa.bool_())
        else:
            pattern = "(?i)^" + ".*".join(map(re.escape, value.split("*"))) + "$"
            agrees = pc.fill_null(pc.match_substring_regex(values, pattern), fill_value=True)
        contradicting = pc.or_(contradicting, pc.invert(agrees))
    return contradicting


def _count(mask: pa.ChunkedArray) -> int:
    return pc.sum(mask).as_py() or 0
