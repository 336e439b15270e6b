"""Matching keys of a query as SQL conditions over the lake's tables (PS3.4 C.2.2.2, PS3.18 8.3.4).

Single value, list of UIDs, universal, wildcard and range matching, and a value of several against attributes of
several. Names match without regard to case, as C.2.2.2.1 allows, as a whole or by one of their component groups;
everything else matches as it is written. Values become parameters, which JSON can carry, and never SQL. Pure.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from math import isfinite

from crawler.columns import Attribute
from crawler.errors import UserError

_TEXTS = frozenset(("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"))
"""VRs with wildcards (PS3.4 C.2.2.2.4)."""
_NUMBERS = {"IS": "BIGINT", "US": "BIGINT", "UL": "BIGINT", "SS": "BIGINT", "SL": "BIGINT"} | dict.fromkeys(
    ("DS", "FL", "FD"), "DOUBLE"
)
_WHOLE = re.compile(r"[+-]?[0-9]{1,12}")
_REAL = re.compile(r"[+-]?[0-9]*\.?[0-9]+([eE][+-]?[0-9]{1,3})?")
_TIME = re.compile(r"([01]\d|2[0-3])(?:([0-5]\d)(?:([0-5]\d|60)(?:\.(\d{1,6}))?)?)?")
_MOMENT = re.compile(r"(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:\.(\d{1,6}))?([+-]\d{4})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Condition:
    """A part of a WHERE clause, and the values for its question marks."""

    sql: str
    parameters: tuple[str | float, ...] = ()


TRUE = Condition("TRUE")


def condition(attribute: Attribute, value: str, column: str | None = None) -> Condition | None:
    """Say what one key asks for; None where it asks for everything. `column` is an SQL expression for its values.

    UserError for a value that its VR does not allow in a query; the message does not repeat it.
    """
    if is_universal(attribute, value):
        return None
    alternatives = value.split("\\") if attribute.vr == "UI" or attribute.listed else [value]
    if not attribute.listed:
        return _any(attribute, [one for one in alternatives if one], column or f'"{attribute.keyword}"')
    test = _any(attribute, [one for one in alternatives if one], "item")
    whole = column or f'"{attribute.keyword}"'
    return Condition(f"len(list_filter({whole}, lambda item: {test.sql})) > 0", test.parameters)


def is_universal(attribute: Attribute, value: str) -> bool:
    """Whether a value matches every row: an empty one, asterisks alone, or of a VR that nothing matches on."""
    if not value.strip(" \\"):
        return True
    if attribute.vr in _TEXTS or attribute.vr == "UI":
        return not value.strip("* ")
    return not can_match(attribute)


def can_match(attribute: Attribute) -> bool:
    """Whether this attribute can be matched on at all."""
    return attribute.vr in (*_TEXTS, *_NUMBERS, "UI", "DA", "TM", "DT", "AS")


def combined(day: Attribute, time: Attribute, days: str, times: str) -> Condition:
    """Match a range of days and one of times as one range of moments (PS3.4 C.2.2.2.5.4, where that was agreed on).

    A row without a time counts as at the beginning of its day. UserError as of `condition`.
    """
    moment = f'("{day.keyword}" + coalesce("{time.keyword}", TIME \'00:00:00\'))'
    (first, last), (early, late) = _ends(days), _ends(times)
    low = f"{_day(first)} {_times(early)[0] if early else '00:00:00'}" if first else None
    high = f"{_day(last)} {_times(late)[1] if late else '23:59:59.999999'}" if last else None
    return _between(moment, "TIMESTAMP", low, high)


def joined(parts: Iterable[Condition | None]) -> Condition:
    """Give the condition that all of them together are."""
    asked = [part for part in parts if part is not None]
    if not asked:
        return TRUE
    return Condition(" AND ".join(part.sql for part in asked), tuple(one for part in asked for one in part.parameters))


def conditions(known: Mapping[str, Attribute], keys: Mapping[str, str]) -> tuple[Condition, tuple[str, ...]]:
    """Join what keys ask for, by keyword; name those beside it that nothing here is known of, or matches on.

    UserError for a value that its VR does not allow.
    """
    unsupported = tuple(
        name for name, value in keys.items() if value.strip(" \\") and (name not in known or not can_match(known[name]))
    )
    return joined(condition(known[name], value) for name, value in keys.items() if name in known), unsupported


def _any(attribute: Attribute, alternatives: list[str], column: str) -> Condition:
    exact = attribute.vr in ("UI", "AS") or (attribute.vr in _TEXTS - {"PN"} and not _has_wildcards(alternatives))
    if exact:
        marks = ", ".join("?" * len(alternatives))
        sql = f"{column} IN ({marks})" if len(alternatives) > 1 else f"{column} = ?"
        return Condition(sql, tuple(one.strip(" \0") for one in alternatives))
    parts = [_one(attribute, one, column) for one in alternatives]
    return Condition(
        " OR ".join(part.sql for part in parts) if len(parts) == 1 else f"({' OR '.join(part.sql for part in parts)})",
        tuple(value for part in parts for value in part.parameters),
    )


def _one(attribute: Attribute, value: str, column: str) -> Condition:
    if attribute.vr == "DA":
        low, high = _ends(value)
        return _between(column, "DATE", low and _day(low), high and _day(high))
    if attribute.vr == "TM":
        low, high = _ends(value)
        return _between(column, "TIME", low and _times(low)[0], high and _times(high)[1])
    if attribute.vr == "DT":
        return _between(column, "TIMESTAMP", *_moments(value))
    if attribute.vr in _NUMBERS:
        return _number(attribute.vr, value, column)
    return _named(value, column) if attribute.vr == "PN" else _like(column, value.strip(" "))


def _has_wildcards(values: Iterable[str]) -> bool:
    return any("*" in value or "?" in value for value in values)


def _like(column: str, value: str) -> Condition:
    """Compare with wildcards: `*` is any number of characters, `?` one."""
    pattern = re.sub(r"([\\%_])", r"\\\1", value).replace("*", "%").replace("?", "_")
    return Condition(f"{column} LIKE ? ESCAPE '\\'", (pattern,))


def _named(value: str, column: str) -> Condition:
    """Compare names: without regard to case, and to empty components at the end (PS3.5 6.2.1)."""
    wanted = _like("", value.rstrip("^= ").lower())
    whole = f"rtrim(lower({column}), '^= '){wanted.sql}"
    groups = f"len(list_filter(string_split(lower({column}), '='), lambda part: rtrim(part, '^ '){wanted.sql})) > 0"
    return Condition(f"({whole} OR (contains({column}, '=') AND {groups}))", wanted.parameters * 2)


def _number(vr: str, value: str, column: str) -> Condition:
    whole = _NUMBERS[vr] == "BIGINT"
    text = value.strip(" ")
    if not (_WHOLE if whole else _REAL).fullmatch(text) or not isfinite(float(text)):
        raise UserError(f"a key of VR {vr} wants a number")
    return Condition(f"{column} = CAST(? AS {_NUMBERS[vr]})", (int(text) if whole else float(text),))


def _between(column: str, kind: str, low: str | None, high: str | None) -> Condition:
    ends = [(sign, end) for sign, end in ((">=", low), ("<=", high)) if end]
    if low and low == high:
        ends = [("=", low)]
    sql = " AND ".join(f"{column} {sign} CAST(? AS {kind})" for sign, _ in ends)
    return Condition(f"({sql})", tuple(end for _, end in ends))


def _ends(value: str) -> tuple[str, str]:
    """Take a range apart; a single value is both its ends. UserError where it has none."""
    low, dash, high = (part.strip() for part in value.partition("-"))
    if dash and not (low or high):
        raise UserError("a range has at least one end, as 20240101-")
    return (low, high) if dash else (low, low)


def _day(text: str) -> str:
    """Give a DA value as SQL writes days; the standard before 1993 put dots in it (PS3.5 6.2)."""
    digits = text.replace(".", "") if re.fullmatch(r"\d{4}\.\d\d\.\d\d", text) else text
    try:
        if not re.fullmatch(r"[0-9]{8}", digits):
            raise ValueError
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:])).isoformat()
    except ValueError:
        raise UserError("a date in a key is YYYYMMDD, or a range of these with - between") from None


def _times(text: str) -> tuple[str, str]:
    """Give the first and the last microsecond that a TM value, whose end may be missing, stands for."""
    found = _TIME.fullmatch(text.replace(":", ""))
    if found is None or not text.isascii():
        raise UserError("a time in a key is HHMMSS.FFFFFF or its beginning, or a range of these with - between")
    hour, minute, second, fraction = found.groups()
    second = "59" if second == "60" else second  # a leap second, which SQL does not know
    low = f"{hour}:{minute or '00'}:{second or '00'}.{(fraction or '').ljust(6, '0')}"
    return low, f"{hour}:{minute or '59'}:{second or '59'}.{(fraction or '').ljust(6, '9')}"


def _moments(value: str) -> tuple[str | None, str | None]:
    """Read a DT value or a range of them; a minus sign before four digits at an end is a zone (PS3.4 C.2.2.2.5.3)."""
    single = _MOMENT.fullmatch(value)
    if single is not None:
        return _moment(single, last=False), _moment(single, last=True)
    for dash in (place for place, character in enumerate(value) if character == "-"):
        low, high = _MOMENT.fullmatch(value[:dash]), _MOMENT.fullmatch(value[dash + 1 :])
        whole = (low or dash == 0) and (high or dash == len(value) - 1)
        if whole and (low or high):
            return low and _moment(low, last=False), high and _moment(high, last=True)
    raise UserError("a moment in a key is YYYYMMDDHHMMSS.FFFFFF or its beginning, or a range of these with - between")


def _moment(found: re.Match[str], *, last: bool) -> str:
    """Give the first or last microsecond of it. Its zone is left out: the lake keeps what clocks on site show."""
    year, month, day, hour, minute, second, fraction = found.groups()[:7]
    try:
        start = datetime(int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0))
    except ValueError:
        raise UserError("there is no such moment as a key names") from None
    if not last:
        return f"{start.isoformat(sep=' ')}.{(fraction or '').ljust(6, '0')}"
    end = start.replace(
        month=int(month or 12), hour=int(hour or 23), minute=int(minute or 59), second=int(second or 59)
    )
    if not day:
        end = end.replace(day=monthrange(end.year, end.month)[1])
    return f"{end.isoformat(sep=' ')}.{(fraction or '').ljust(6, '9')}"
