"""What goes into the sweep machine and comes out: questions, answers, verdicts. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from crawler.model import Outcome, Window, WindowState
from crawler.plan.sight import Sight

REFUSALS = {
    Outcome.TOO_MANY: "refused as too much to answer",
    Outcome.CANCELLED: "ended by the PACS before all was answered",
    Outcome.FAILED: "the PACS failed to answer",
}


@dataclass(frozen=True, slots=True)
class Ask:
    """A question: `window` is what it is for, `query` what to ask, a little wider while range ends are in doubt."""

    window: Window
    query: Window


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: how the query ended, after how many rows as they were sent, and what was seen in them."""

    outcome: Outcome
    rows: int = 0
    sight: Sight = field(default_factory=Sight)


@dataclass(frozen=True, slots=True)
class Accept:
    """The window is settled: this is its state for the ledger."""

    state: WindowState
    reason: str | None = None


COMPLETE = Accept(WindowState.COMPLETE)


@dataclass(frozen=True, slots=True)
class Split:
    """The window will be asked for in parts; its rows stand, but prove nothing."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Ask the same again after so many seconds."""

    after: float


Verdict = Accept | Split | Retry
SPLIT = Split()


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the PACS: its cap, keys that it does not match on, whether all studies have a time."""

    cap: int | None = None
    unsupported: frozenset[str] = frozenset()
    always_timed: bool | None = None
    """None where too few studies were seen to tell."""
    busy: tuple[Window, ...] = ()
    """Windows of whole days among those covered whose answers had studies."""
    by_hours: frozenset[int] = frozenset()
    """Days, as ordinals, that only answers about their hours cover: these tell of no study without a time."""
    rows: Mapping[Window, int] = field(default_factory=dict)
    """How many rows the answers about covered windows had."""
