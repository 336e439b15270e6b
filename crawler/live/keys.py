"""What a condition in SQL lets a PACS be asked for: by keyword, the values that a row may have.

Each value here stands for at least the rows that meet the condition, never for fewer: DuckDB applies the condition
itself to what comes. So `both` and `either` may forget, and text is widened by wildcards wherever PACS differ. Pure.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, TypeAlias

from crawler.columns import Attribute
from crawler.dicom import da

ANYTHING = "\0"
"""Stands in a pattern for any characters, as `*` does in a key; a `*` of the text itself is none."""

LONGEST = {"CS": 16, "SH": 16, "LO": 64, "PN": 64, "UI": 64}
"""Characters of a value (PS3.5 6.2): some PACS refuse longer keys."""

_PLAIN = frozenset(string.ascii_letters + string.digits + string.punctuation + " ") - frozenset("*?\\~")
"""Characters that mean themselves in a key and are coded alike in every character set that DICOM knows."""


@dataclass(frozen=True, slots=True)
class Texts:
    """One of these, each as it stands in a key; `*` is a wildcard. None of them: no row can meet the condition."""

    values: frozenset[str]

    @property
    def exact(self) -> bool:
        """Whether each value stands for itself alone."""
        return not any("*" in value for value in self.values)


@dataclass(frozen=True, slots=True)
class Between:
    """From the one day, or time of day, to the other, both included; None is open."""

    low: Any = None
    high: Any = None


Values: TypeAlias = Texts | Between
Keys: TypeAlias = Mapping[str, Values]
"""By keyword; a keyword that is not there says nothing."""


def both(one: Keys, other: Keys) -> Keys:
    """Give what rows have that meet two conditions."""
    shared = {keyword: _meet(one[keyword], other[keyword]) for keyword in one.keys() & other.keys()}
    return {**one, **other, **shared}


def either(one: Keys, other: Keys) -> Keys:
    """Give what rows have that meet one of two conditions: what both of these speak of."""
    return {keyword: _join(one[keyword], other[keyword]) for keyword in one.keys() & other.keys()}


def is_impossible(keys: Keys) -> bool:
    """Whether no row can be so."""
    return any(map(_is_empty, keys.values()))


def text_key(attribute: Attribute, text: str) -> str | None:
    """Give the key for rows whose column is just this text; None where no key is sure to find them.

    Empty text has none: an empty key asks for everything (PS3.4 C.2.2.2.3).
    """
    if attribute.vr == "UI":
        return text if re.fullmatch(r"[0-9.]{1,64}", text) else None
    if attribute.vr == "PN":  # written with empty components at its end, in several groups, or not
        return pattern_key(attribute, text.partition("=")[0].rstrip("^ ") + ANYTHING)
    return pattern_key(attribute, text)


def pattern_key(attribute: Attribute, pattern: str) -> str | None:
    """Give the key for rows whose column fits a pattern, in which ANYTHING may stand; None where there is none."""
    if attribute.vr == "CS" and re.search(r"[^A-Z0-9 _\0]", pattern):
        return None  # no character of a CS (PS3.5 6.2): refused, or upper case for some
    plain = _PLAIN - frozenset("= ") if attribute.vr == "PN" else _PLAIN
    key = re.sub(r"\*+", "*", "".join(one if one in plain else "*" for one in pattern.strip()))
    if len(key) > LONGEST[attribute.vr]:
        key = key[: LONGEST[attribute.vr] - 1] + "*"
    if "*" in key and not key.endswith("*"):
        key += "*"  # what is padded with a space at its end does not fit otherwise, for some
    return key if key.strip("*") else None


def like_pattern(text: str, *, ignore_case: bool = False) -> str:
    """Give the pattern of a LIKE. Letters mean little where case is ignored: most PACS do not ignore it."""
    return "".join(
        ANYTHING if one in "%_" or (ignore_case and (one.isalpha() or not one.isascii())) else one for one in text
    )


def day_key(days: Between) -> str:
    """Give the StudyDate that asks for days, one more on either side of a range: some PACS leave its ends out."""
    if days.low is not None and days.low == days.high:
        return da(days.low)
    low = "" if days.low is None else da(days.low - timedelta(days=days.low > date.min))
    high = "" if days.high is None else da(days.high + timedelta(days=days.high < date.max))
    return f"{low}-{high}"


def time_key(times: Between) -> str | None:
    """Give the StudyTime that asks for times, a little wider: `0930` is less than `093000` for some, 093000.5 more."""
    first = _shifted(times.low, -1)
    last = _shifted(times.high, 2)
    return f"{first}-{last}" if first or last else None


def _shifted(moment: time | None, seconds: int) -> str:
    """Give a time so many seconds later, nothing where that is another day."""
    if moment is None:
        return ""
    day = date(2000, 1, 1)
    later = datetime.combine(day, moment) + timedelta(seconds=seconds)
    return f"{later:%H%M%S}" if later.date() == day else ""


def _meet(one: Values, other: Values) -> Values:
    if isinstance(one, Texts) and isinstance(other, Texts):
        if one.exact and other.exact:
            return Texts(one.values & other.values)
        return min(one, other, key=lambda texts: (not texts.exact, len(texts.values)))
    if isinstance(one, Between) and isinstance(other, Between):
        lows = [end for end in (one.low, other.low) if end is not None]
        highs = [end for end in (one.high, other.high) if end is not None]
        return Between(max(lows, default=None), min(highs, default=None))
    return one


def _join(one: Values, other: Values) -> Values:
    if isinstance(one, Texts) and isinstance(other, Texts):
        return Texts(one.values | other.values)
    if isinstance(one, Between) and isinstance(other, Between):
        low = None if None in (one.low, other.low) else min(one.low, other.low)
        return Between(low, None if None in (one.high, other.high) else max(one.high, other.high))
    return Between()


def _is_empty(values: Values) -> bool:
    if isinstance(values, Texts):
        return not values.values
    return None not in (values.low, values.high) and bool(values.low > values.high)
