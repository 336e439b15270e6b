"""Lists of patients and orders, put in the words of a lake that has codes in place of them. Touches: disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from crawler.cohort.definition import KEYS, Definition, Listed
from crawler.deid.policy import Policy


@dataclass(frozen=True, slots=True)
class Named:
    """A definition in the lake's words, and what its entries were called in the list that was given."""

    definition: Definition
    given: dict[str, str] = field(default_factory=dict)

    def back(self, entries: Sequence[str]) -> list[str]:
        """Name entries as the list did, for the person who gave it; this is never kept."""
        return [self.given.get(entry, entry) for entry in entries]


def in_words_of(policy: Policy | None, definition: Definition) -> Named:
    """Put a list in the lake's words. UserError for what the lake does not keep; SQL stays as it is."""
    listed = definition.listed
    if policy is None or listed is None:
        return Named(definition)
    hashed = [
        values if keyword == "pacs" else policy.named(keyword, values)
        for keyword, values in zip(listed.columns, zip(*listed.rows, strict=True), strict=True)
    ]
    rows = list(zip(*hashed, strict=True))
    given = {_said(listed.columns, row): _said(listed.columns, old) for row, old in zip(rows, listed.rows, strict=True)}
    return Named(replace(definition, listed=Listed.of(listed.columns, rows)), given)


def _said(columns: Sequence[str], row: Sequence[str]) -> str:
    """Name an entry as `crawler.cohort.found` does."""
    values = dict(zip(columns, row, strict=True))
    return " / ".join(values[key] for key in KEYS if values.get(key))
