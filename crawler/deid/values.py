"""New values of single attributes: dates shifted, times checked, ages capped, dummies. An empty text hides nothing.

What is not of its VR's form becomes empty, since nobody can say what it tells. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta

_DATE = re.compile(r"(\d{4})(\.?)(\d{2})\2(\d{2})")
"""With dots as ACR-NEMA wrote it (PS3.5 6.2, DA)."""
_DATETIME = re.compile(r"(\d{8})((?:\d{2}(?:\d{2}(?:\d{2}(?:\.\d{1,6})?)?)?)?(?:[+-]\d{4})?)")
_TIME = re.compile(r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?|\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?")
_AGE = re.compile(r"(\d{1,3})([DWMY])")

OLDEST = 90
"""Years: who is older is of this age too, being one of few (45 CFR 164.514(b)(2)(i)(C))."""

DUMMIES = {
    "AS": b"000Y",
    "DA": b"19000101",
    "DS": b"0",
    "DT": b"19000101000000",
    "IS": b"0",
    "TM": b"000000",
    "UR": b"urn:removed",
}
_TEXT_DUMMY = b"REMOVED"
_BINARY = frozenset(("AT", "FD", "FL", "OB", "OD", "OF", "OL", "OV", "OW", "SL", "SS", "SV", "UL", "UN", "US", "UV"))


def dummy(vr: str) -> bytes:
    """Give a value that is valid for a VR and says nothing, padded to even length."""
    # Eight zero bytes are one number of the longest VR, or several of a shorter one.
    return bytes(8) if vr in _BINARY else padded(DUMMIES.get(vr, _TEXT_DUMMY))


def padded(text: bytes, pad: bytes = b" ") -> bytes:
    """Give text of an even length."""
    return text + pad if len(text) % 2 else text


def each(change: Callable[[str], str], text: str) -> str:
    r"""Change each of the values that `\` divides; where one cannot be, none is left."""
    changed = [change(value.strip(" \0")) for value in text.split("\\")]
    return "\\".join(changed) if any(changed) else ""


def shifted(vr: str, days: int) -> Callable[[str], str]:
    """Give what shifts a date, or the date in a date and time, by whole days."""
    return lambda value: _shifted_datetime(value, days) if vr == "DT" else _shifted_date(value, days)


def _shifted_date(value: str, days: int) -> str:
    found = _DATE.fullmatch(value)
    return _moved(found[1] + found[3] + found[4], days) if found else ""


def _shifted_datetime(value: str, days: int) -> str:
    """Shift the date alone. One of a year or a month cannot be shifted by days, and goes."""
    found = _DATETIME.fullmatch(value)
    moved = _moved(found[1], days) if found else ""
    return moved + found[2] if found and moved else ""


def _moved(value: str, days: int) -> str:
    day = parsed(value)
    try:
        return (day + timedelta(days=days)).isoformat().replace("-", "") if day else ""
    except OverflowError:
        return ""


def parsed(value: str) -> date | None:
    """Read a date, if it is one."""
    found = _DATE.fullmatch(value)
    try:
        return date(int(found[1]), int(found[3]), int(found[4])) if found else None
    except ValueError:
        return None


def kept_time(value: str) -> str:
    """Give a time of day as it is, if it is one."""
    return value if _TIME.fullmatch(value) else ""


def capped_age(value: str) -> str:
    """Give an age as it is, if it is one, and none above `OLDEST` years."""
    found = _AGE.fullmatch(value)
    if not found:
        return ""
    number = int(found[1])
    return f"{min(number, OLDEST) if found[2] == 'Y' else number:03d}{found[2]}"


def age_between(birth: str, study: str) -> str:
    """Give the age at a study in years, or in months or days of a child below two; empty where that is not known."""
    born, seen = parsed(birth), parsed(study)
    if not born or not seen or seen < born:
        return ""
    months = (seen.year - born.year) * 12 + seen.month - born.month - (seen.day < born.day)
    if months >= 24:
        return capped_age(f"{min(months // 12, 999)}Y")
    return f"{months:03d}M" if months else f"{(seen - born).days:03d}D"
