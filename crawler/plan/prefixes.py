"""Which questions list all patients of a PACS: all at once, and where that is too many, by what PatientID begins with.

No set of beginnings holds every PatientID, because an ID may begin with any character. So whatever was asked for by
beginnings is known in part only; the rest is named, never taken for complete. Pure.
"""

from __future__ import annotations

import string
from collections.abc import Iterable
from dataclasses import dataclass, field

from crawler.model import WindowState
from crawler.plan.answers import COMPLETE, Accept
from crawler.plan.doubts import ROUND

USUAL = string.digits + string.ascii_uppercase
"""What IDs go on with nearly everywhere; further characters are asked for where an answer shows them."""

WILD = "*?\\"
"""Characters that mean something else in a matching key (PS3.4 C.2.2.2.4)."""

DEEPEST = 12
"""Characters of the longest beginning asked for."""

MOST = 5000
"""Questions after which an archive's patients are left as they are."""

EVERYBODY = "*"


@dataclass
class Prefixes:
    """Hands out values of PatientID to match, and takes what each brought."""

    cap: int | None = None
    ids: set[str] = field(default_factory=set)
    """Every PatientID seen."""
    asked: int = 0
    _due: list[str] = field(default_factory=lambda: [EVERYBODY])
    _doubted: set[str] = field(default_factory=set)
    """IDs of the answer about everybody, whose round number may be a cap."""
    _split: bool = False

    def next(self) -> str | None:
        """Give the next value to match, None when all are settled."""
        if not self._due:
            return None
        self.asked += 1
        return self._due.pop()

    def answered(self, value: str, ids: Iterable[str], rows: int, *, whole: bool) -> Accept | None:
        """Take an answer of so many rows, `whole` if it ended with success; None where parts are asked for instead."""
        seen = set(ids)
        before = len(self.ids)
        self.ids |= seen
        if value == EVERYBODY and whole and rows and rows % ROUND == 0 and self.cap is None:
            self._doubted = seen
            self._divide("", seen)
            return None
        if self._doubted and len(self.ids) > before and self.cap is None:
            self.cap = len(self._doubted)
        if whole and (self.cap is None or rows < self.cap):
            return COMPLETE
        if not value.endswith("*"):
            return Accept(WindowState.CAPPED, f"{rows} patients of one PatientID")
        if len(value) > DEEPEST or self.asked + len(self._due) > MOST:
            return Accept(
                WindowState.CAPPED, f"{rows} patients, and the beginning of PatientID cannot be narrowed more"
            )
        self._divide(value[:-1], seen)
        return None

    def verdict(self) -> Accept:
        """Say what all answers together prove."""
        if not self._split or (self._doubted and self.ids == self._doubted and self.cap is None):
            return COMPLETE
        usual = "a digit or an unaccented capital"
        reason = (
            f"too many patients for one answer: those whose PatientID goes on with other than {usual} may be missing"
        )
        return Accept(WindowState.CAPPED, reason)

    def _divide(self, prefix: str, seen: Iterable[str]) -> None:
        """Have a beginning asked for by its continuations, and alone."""
        self._split = True
        shown = {one[len(prefix)] for one in seen if one.startswith(prefix) and len(one) > len(prefix)}
        letters = sorted({*USUAL, *shown} - {*WILD, " "})
        self._due += [f"{prefix}{letter}*" for letter in reversed(letters)]
        if prefix:
            self._due.append(prefix)
