"""How one question ended with one PACS, and why there may be more than came. Touches: disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from crawler.asking.question import Question
from crawler.model import HIERARCHY, Level, Model, Outcome
from crawler.pacs.association import Association
from crawler.pacs.sop_classes import FIND_CLASSES
from crawler.pacs.status import describe, outcome_of
from crawler.words import many
from jobs.peers import Called, profile_of

if TYPE_CHECKING:
    from crawler.settings import Settings

_NEGOTIABLE = ("relational queries", "combined date and time", "fuzzy matching of names")
"""What the bytes of the extended negotiation stand for, in their order (PS3.4 C.5.1.1)."""


@dataclass(slots=True)
class Ending:
    """How it ended with one PACS."""

    called: Called
    rows: int = 0
    status: int | None = None
    limited: bool = False
    trouble: str | None = None
    seconds: float = 0.0
    capped: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether this is all that there is, or as much as was wanted."""
        ended_well = self.limited or outcome_of(self.status) is Outcome.SUCCESS
        return self.trouble is None and ended_well and not self.capped

    def __str__(self) -> str:
        if self.trouble and not self.rows:
            return f"{self.called.peer.name}: {self.trouble}"
        counted = many(self.rows, "answer")
        how = self.trouble or ("stopped there, as --limit says" if self.limited else describe(self.status))
        return f"{self.called.peer.name}: {counted} in {self.seconds:.2f} s, {how}"


def turned_down(association: Association, model: Model, wanted: Sequence[bool]) -> list[str]:
    """Say what was asked for in the negotiation and not granted."""
    granted = association.agreement.extended.get(FIND_CLASSES[model], b"").ljust(3, b"\0")
    pairs = zip(_NEGOTIABLE, wanted, granted, strict=False)
    return [
        f"it did not grant {what}; the question was asked all the same" for what, asked, yes in pairs if asked > yes
    ]


def doubt(settings: Settings | None, ending: Ending, question: Question) -> None:
    """Note why there may be more than came: what is known of the PACS, and what the question lacks."""
    if not ending.rows and (missing := _missing(question)):
        ending.notes.append(
            f"a query at {question.level} level takes {' and '.join(missing)}, of one each; or --relational, "
            "where it is granted"
        )
    if not ending.rows:
        return
    profile = profile_of(settings, ending.called)
    if question.level is Level.STUDY and profile.cap and ending.rows == profile.cap:
        ending.capped = True
        ending.notes.append(f"{profile.cap:,} is its cap: there may be more, so ask for less at a time")
    ending.notes += [f"it ignores {key} as a matching key" for key in sorted(profile.unsupported) if question.has(key)]


def _missing(question: Question) -> list[str]:
    """Name the unique keys of the levels above that a hierarchical question must have, and does not."""
    if question.level is Level.WORKLIST:
        return []
    first = 1 if question.model is Model.STUDY_ROOT else 0
    above = HIERARCHY[first : HIERARCHY.index(question.level)]
    return [level.unique_key for level in above if not question.has(level.unique_key)]
