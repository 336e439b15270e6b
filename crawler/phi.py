"""What a lake keeps of each column: the rules of `[phi]`, and what they come to for one attribute. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from crawler.columns import Attribute, Phi


class Treatment(StrEnum):
    """What becomes of a column's values before they are written."""

    KEEP = "keep"
    HASH = "hash"
    """A code takes the place of each value, equal ones get equal codes, by a key that is not in the lake."""
    DROP = "drop"


NEEDED = frozenset(
    (
        *("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SpecificCharacterSet"),
        *("StudyDate", "StudyTime", "ScheduledProcedureStepStartDate", "ScheduledProcedureStepStartTime"),
    )
)
"""What a PACS is asked again by, and text is read by: always kept."""

KEYS = frozenset(("PatientID",))
"""The key of a table that no question to a PACS needs to find in the lake: kept or hashed."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What is to become of the classes of columns, and of single ones by the keyword of their attribute."""

    direct: Treatment = Treatment.HASH
    quasi: Treatment = Treatment.KEEP
    columns: Mapping[str, Treatment] = field(default_factory=dict)

    def of(self, key: Attribute) -> Treatment:
        """Say what becomes of an attribute's columns.

        A class that is hashed loses what has no code: dates, numbers and whole sequences. As a sequence that is kept
        whole may hold anything, it is lost too where any class is not kept, unless it is named itself.
        """
        if key.keyword in NEEDED:
            return Treatment.KEEP
        named = self.columns.get(key.keyword)
        if named is not None:
            return named
        if key.vr == "SQ":
            whole = self.direct is self.quasi is Treatment.KEEP
            return Treatment.KEEP if whole else Treatment.DROP
        chosen = {Phi.DIRECT: self.direct, Phi.QUASI: self.quasi, Phi.NONE: Treatment.KEEP}[key.phi]
        if chosen is Treatment.DROP and key.keyword in KEYS:
            return Treatment.HASH
        if chosen is Treatment.HASH and not has_code(key):
            return Treatment.DROP
        return chosen

    def objection(self, key: Attribute) -> str | None:
        """Say what is wrong with what `columns` says of an attribute, as the end of a sentence about it."""
        named = self.columns.get(key.keyword)
        if named is None or named is Treatment.KEEP:
            return None
        if key.keyword in NEEDED:
            return "must be 'keep': without it a PACS cannot be asked again"
        if named is Treatment.DROP and key.keyword in KEYS:
            return "must be 'keep' or 'hash': it is the key of the table patients"
        if named is Treatment.HASH and not has_code(key):
            return "must be 'keep' or 'drop': only text can be hashed"
        return None

    def as_text(self) -> str:
        """Write them as JSON; equal rules always give the same text."""
        told = {"direct": self.direct, "quasi": self.quasi, "columns": dict(self.columns)}
        return json.dumps(told, sort_keys=True)


ALL_KEPT = Rules(Treatment.KEEP, Treatment.KEEP)
"""What holds without a section `[phi]`."""


def has_code(key: Attribute) -> bool:
    """Whether the columns of an attribute hold texts that a code can take the place of."""
    import pyarrow as pa

    kind = key.arrow_type
    return key.vr != "SQ" and (kind.value_type if key.listed else kind) == pa.string()
