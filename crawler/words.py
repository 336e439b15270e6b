"""Counts as a person reads them. Pure."""

from __future__ import annotations

import re

_SAME = ("series", "PACS")


def plural(what: str) -> str:
    """Give the plural of what is counted: studies, windows, series."""
    return what if what in _SAME else re.sub("(?<=[^aeiou])y$", "ie", what) + "s"


def many(count: int, what: str) -> str:
    """Give a count with what is counted, which is named in the singular: 1 study, 2,000 studies, 3 series."""
    return f"{count:,} {what if count == 1 else plural(what)}"
