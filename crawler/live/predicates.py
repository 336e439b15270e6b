"""One condition of a statement, read as what a PACS can be asked for. What is not understood says nothing. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlglot import exp

from crawler.columns import CATALOGUE, Attribute
from crawler.dicom import da
from crawler.live.keys import ANYTHING, Between, Keys, Texts, Values, both, either, like_pattern, pattern_key, text_key
from crawler.model import Level

_TEXTS = ("CS", "LO", "PN", "SH")
_MIRRORED = {exp.GT: exp.LT, exp.LT: exp.GT, exp.GTE: exp.LTE, exp.LTE: exp.GTE, exp.EQ: exp.EQ}
_DAYS = {"DAY": (1, 1), "WEEK": (7, 7), "MONTH": (28, 31), "YEAR": (365, 366)}
"""How many days an interval has, at least and at most."""

_CATALOGUE = {key.keyword: key for level in (Level.SERIES, Level.STUDY) for key in CATALOGUE[level]}

ColumnOf = Callable[[exp.Expr], str | None]
"""Gives the keyword of a column that can be matched on; None for anything else."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads conditions on the columns of one table. `today` is where the PACS is."""

    column: ColumnOf
    today: date

    def keys(self, condition: exp.Expr) -> Keys:
        """Give what rows have that meet a condition."""
        match condition:
            case exp.Paren():
                return self.keys(condition.this)
            case exp.And():
                return both(self.keys(condition.left), self.keys(condition.right))
            case exp.Or():
                return either(self.keys(condition.left), self.keys(condition.right))
            case exp.Between() if _has_only(condition, "this", "low", "high"):
                return both(
                    self._compared(exp.GTE, condition.this, condition.args["low"]),
                    self._compared(exp.LTE, condition.this, condition.args["high"]),
                )
            case exp.EQ() | exp.GT() | exp.GTE() | exp.LT() | exp.LTE():
                found = self._compared(type(condition), condition.left, condition.right)
                return found or self._compared(_MIRRORED[type(condition)], condition.right, condition.left)
            case exp.In():
                return self._one_of(condition)
            case exp.Like() | exp.ILike() | exp.StartsWith() | exp.EndsWith() | exp.Contains() | exp.Anonymous():
                return self._alike(condition)
            case exp.ArrayContains() if _has_only(condition, "this", "expression"):
                return self._lists(condition.this, [condition.expression])
            case exp.ArrayOverlaps() if isinstance(condition.expression, exp.Array):
                return self._lists(condition.this, condition.expression.expressions)
        return {}

    def _compared(self, kind: type[exp.Expr], left: exp.Expr, right: exp.Expr) -> Keys:
        """Read `left kind right`, where the column is on the left; nothing where it is not."""
        if isinstance(left, exp.Year) and kind is exp.EQ:
            return self._in_year(left.this, right)
        if kind is exp.EQ and isinstance(right, exp.Any):  # 'CT' = ANY(ModalitiesInStudy)
            inner = right.this.this if isinstance(right.this, exp.Paren) else right.this
            return self._lists(inner, [left])
        key = self._attribute(left)
        if key is None or key.multi:
            return {}
        if key.vr == "DA":
            return _days(kind, key, right, self.today)
        if key.vr == "TM":
            moment = _time(right)
            return {key.keyword: _ends(kind, moment, moment)} if moment is not None else {}
        return self._texts(key, [right]) if kind is exp.EQ else {}

    def _in_year(self, column: exp.Expr, year: exp.Expr) -> Keys:
        key = self._attribute(column)
        if key is None or key.keyword != "StudyDate" or not isinstance(year, exp.Literal) or not year.this.isdecimal():
            return {}
        number = int(year.this)
        if not date.min.year <= number <= date.max.year:
            return {}
        return {key.keyword: Between(date(number, 1, 1), date(number, 12, 31))}

    def _one_of(self, condition: exp.In) -> Keys:
        if listed := condition.args.get("field"):  # 'CT' IN ModalitiesInStudy
            return self._lists(listed, [condition.this])
        key = self._attribute(condition.this)
        if key is None or not _has_only(condition, "this", "expressions"):
            return {}
        if key.vr in ("DA", "TM"):
            found = [self._compared(exp.EQ, condition.this, one) for one in condition.expressions]
            return _any_of(found)
        return {} if key.multi else self._texts(key, condition.expressions)

    def _alike(self, condition: exp.Expr) -> Keys:
        """Read what has a pattern: LIKE, ILIKE, and the functions that look for a part."""
        column, text = _arguments(condition)
        key = self._attribute(column) if column is not None else None
        if key is None or key.vr not in _TEXTS or key.multi or text is None:
            return {}
        match condition:
            case exp.Like() | exp.ILike():
                pattern = like_pattern(text, ignore_case=isinstance(condition, exp.ILike))
            case exp.EndsWith():
                pattern = ANYTHING + text
            case exp.Contains():
                pattern = ANYTHING + text + ANYTHING
            case exp.Anonymous() if condition.name.lower() == "suffix":
                pattern = ANYTHING + text
            case _:
                pattern = text + ANYTHING
        value = pattern_key(key, pattern)
        return {key.keyword: Texts(frozenset({value}))} if value else {}

    def _lists(self, column: exp.Expr, values: list[exp.Expr]) -> Keys:
        """Read that a column of lists has one of these values in it."""
        key = self._attribute(column)
        return self._texts(key, values) if key is not None and key.multi else {}

    def _texts(self, key: Attribute, values: list[exp.Expr]) -> Keys:
        """Give the keys for rows whose column is one of these; nothing unless there is a key for each."""
        if not all(isinstance(one, exp.Literal) and one.is_string for one in values):
            return {}  # a number: DuckDB compares '007' as 7
        found = [text_key(key, one.this) for one in values]
        keys = frozenset(one for one in found if one is not None)
        return {key.keyword: Texts(keys)} if None not in found else {}

    def _attribute(self, column: exp.Expr) -> Attribute | None:
        keyword = self.column(column)
        key = _CATALOGUE.get(keyword) if keyword else None
        return key if key is not None and key.vr in (*_TEXTS, "UI", "DA", "TM") else None


def _has_only(node: exp.Expr, *names: str) -> bool:
    """Whether a condition has just these parts: NOT LIKE, say, is a LIKE with one more."""
    return all(name in names for name, value in node.args.items() if value not in (None, False, []))


def _arguments(condition: exp.Expr) -> tuple[exp.Expr | None, str | None]:
    """Give the column and the text of a LIKE, or of a function that looks for a part."""
    if isinstance(condition, exp.Anonymous):
        is_known = condition.name.lower() in ("prefix", "suffix") and len(condition.expressions) == 2
        column, text = condition.expressions if is_known else (None, None)
    else:
        column, text = condition.this, condition.args.get("expression")
        if not _has_only(condition, "this", "expression"):
            return None, None
    return column, text.this if isinstance(text, exp.Literal) and text.is_string else None


def _any_of(found: list[Keys]) -> Keys:
    keys = found[0] if found else {}
    for one in found[1:]:
        keys = either(keys, one)
    return keys


def _days(kind: type[exp.Expr], key: Attribute, value: exp.Expr, today: date) -> Keys:
    ends = _moments(value, today)
    if ends is None:
        return {}
    if key.keyword != "StudyDate":  # ranges of other days are optional, and some PACS take them for a value
        is_one = kind is exp.EQ and ends[0] == ends[1]
        return {key.keyword: Texts(frozenset({da(ends[0])}))} if is_one else {}
    first, last = ends[0].date(), ends[1].date()
    if kind is exp.LT and ends[1].time() == time() and last > date.min:
        last -= timedelta(days=1)
    return {key.keyword: _ends(kind, first, last)}


def _ends(kind: type[exp.Expr], first: date | time, last: date | time) -> Values:
    """Give where something lies that is less, more than or equal to a value between these two."""
    if kind in (exp.GT, exp.GTE):
        return Between(low=first)
    return Between(high=last) if kind in (exp.LT, exp.LTE) else Between(first, last)


def _moments(value: exp.Expr, today: date) -> tuple[datetime, datetime] | None:
    """Give the earliest and the latest moment that an expression of days may mean, None where that is not known."""
    match value:
        case exp.Paren():
            return _moments(value.this, today)
        case exp.Cast() if value.to.is_type("date", "timestamp", "timestampntz"):
            return _moments(value.this, today)
        case exp.Literal() if value.is_string:
            found = re.fullmatch(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d)?)?", value.this.strip())
            try:
                moment = datetime.fromisoformat(found[0]) if found else None
            except ValueError:
                return None
            return (moment, moment) if moment else None
        case exp.CurrentDate():  # DuckDB's time zone may be another
            midnight = datetime.combine(today, time())
            return midnight - timedelta(days=1), midnight + timedelta(days=1)
        case exp.Add() | exp.Sub():
            ends, days = _moments(value.left, today), _interval(value.right)
            if ends is None or days is None:
                return None
            shifts = sorted((-one for one in days) if isinstance(value, exp.Sub) else days)
            try:
                return ends[0] + timedelta(days=shifts[0]), ends[1] + timedelta(days=shifts[1])
            except OverflowError:
                return None
    return None


def _interval(value: exp.Expr) -> tuple[int, int] | None:
    """Give the days of a number of days, or of an interval, at least and at most."""
    number, unit = value, "DAY"
    if isinstance(value, exp.Interval) and value.unit is not None:
        number, unit = value.this, value.unit.name.upper()
    if not isinstance(number, exp.Literal) or not number.this.isdecimal() or unit not in _DAYS:
        return None
    least, most = _DAYS[unit]
    return int(number.this) * least, int(number.this) * most


def _time(value: exp.Expr) -> time | None:
    inner = value.this if isinstance(value, exp.Cast) and value.to.is_type("time") else value
    if not isinstance(inner, exp.Literal) or not inner.is_string:
        return None
    found = re.fullmatch(r"\d\d:\d\d:\d\d(\.\d{1,6})?", inner.this)
    try:
        return time.fromisoformat(found[0]) if found else None
    except ValueError:
        return None
