"""Rows of the lake as DICOM JSON (PS3.18 F). Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from typing import Any

from crawler.columns import Attribute
from crawler.dicom import NAME_GROUPS, UTF_8, da


def dataset(row: Mapping[str, Any], attributes: Iterable[Attribute], address: str) -> dict[str, Any]:
    """Give one row as a dataset, in UTF-8 and with its RetrieveURL; attributes in sequences are left out."""
    found = {
        f"{key.tag:08X}": _element(key, row[key.keyword]) for key in attributes if not key.path and not key.creator
    }
    found |= {"00080005": {"vr": "CS", "Value": [UTF_8]}, "00081190": {"vr": "UR", "Value": [address]}}
    return dict(sorted(found.items()))


def _element(key: Attribute, value: Any) -> dict[str, Any]:
    values = value if isinstance(value, list) else [value]
    if all(one is None or one == "" for one in values):
        return {"vr": key.vr}
    return {"vr": key.vr, "Value": [_value(key.vr, one) for one in values]}


def _value(vr: str, value: Any) -> Any:
    if value is None or value == "" or (isinstance(value, float) and not math.isfinite(value)):
        return None  # JSON has no infinity
    if vr == "PN":
        groups = dict(zip(NAME_GROUPS, str(value).split("="), strict=False))
        return {name: group for name, group in groups.items() if group}
    if isinstance(value, datetime):
        return f"{value:%Y%m%d%H%M%S}".rjust(14, "0") + _fraction(value.microsecond)
    if isinstance(value, date):
        return da(value)
    if isinstance(value, time):
        return f"{value:%H%M%S}" + _fraction(value.microsecond)
    return value


def _fraction(microsecond: int) -> str:
    return f".{microsecond:06}".rstrip("0") if microsecond else ""
