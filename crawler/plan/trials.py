"""Trials: an answer that may have been capped is tested by asking for its parts and comparing. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from crawler.plan.sight import Sight
from crawler.plan.spans import Span


class Comparison(StrEnum):
    """What the parts of a window tell about the answer to the whole."""

    SAME = "same"
    MORE = "more"
    """The parts have more studies: the whole answer was capped."""
    FEWER = "fewer"
    """The parts have fewer studies: splitting loses some, the parts prove nothing."""
    UNKNOWN = "unknown"
    """Not every part was answered in full."""


@dataclass
class Trial:
    """A window that is being asked for again in parts, and what the whole had answered with."""

    span: Span
    rows: int
    """Rows of the whole answer as they were sent."""
    inside: int
    """Studies of the whole answer that a part is sure to return: those with a date, and with a time below a day."""
    undated: int | None = None
    """Studies without a date in the whole answer about a day, by whose times parts tell them apart; None elsewhere."""
    again: bool = False
    """Whether the whole must be asked for once more when it is proven, for studies that no part returns."""
    cut: bool = False
    """Whether the parts are those that halve the rows that came."""
    left: int = field(init=False)
    found: int = 0
    found_undated: int = 0
    proven: bool = True

    def __post_init__(self) -> None:
        self.left = self.span.length

    def add(self, span: Span, sight: Sight, *, complete: bool) -> None:
        """Count a part that has been settled, by what was seen in its answer."""
        self.left -= span.length
        self.found += sight.inside
        self.found_undated += sight.undated_inside
        self.proven = self.proven and complete

    @property
    def comparison(self) -> Comparison:
        """Compare, once nothing is left."""
        if not self.proven:
            return Comparison.UNKNOWN
        if self.undated is not None and self.found_undated > self.undated:
            return Comparison.MORE
        if self.found == self.inside:
            return Comparison.SAME
        return Comparison.MORE if self.found > self.inside else Comparison.FEWER
