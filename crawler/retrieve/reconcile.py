"""What is here of a series against what the PACS says that there is: by this alone a retrieval is judged. Pure."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from crawler.retrieve.state import State
from crawler.retrieve.status import Ending, Moved, describe


@dataclass(frozen=True, slots=True)
class Listing:
    """What is known of the instances that a PACS has of a series."""

    instances: frozenset[str] | None = None
    """Their SOP Instance UIDs; None where it could not list them."""
    count: int | None = None
    """How many there are, where only that is known."""

    @property
    def size(self) -> int | None:
        """How many instances there are, None where nothing tells."""
        return self.count if self.instances is None else len(self.instances)

    def missing(self, here: Set[str]) -> int | None:
        """Say how many are not here, None where nothing tells."""
        if self.instances is not None:
            return len(self.instances - here)
        return None if self.count is None else max(0, self.count - len(here))


@dataclass(frozen=True, slots=True)
class Ended:
    """How a request ended: by a final response, or by some trouble before it. It is recorded, and not believed."""

    said: Moved | None = None
    trouble: str | None = None

    @property
    def in_words(self) -> str:
        """For a person."""
        if self.said is not None:
            return f"the last request ended with {describe(self.said.status)}"
        return self.trouble or "it was not asked for"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The state of a series, and why."""

    state: State
    reason: str | None = None


def judge(listing: Listing, here: Set[str], last: Ended) -> Judgement:
    """Judge a series that is not asked for again, after its `last` request."""
    size, missing = listing.size, listing.missing(here)
    if size == 0 and not here:
        return Judgement(State.FAILED, "the PACS lists no instance of it any more")
    if missing == 0:
        by_count = listing.instances is None
        return Judgement(State.COMPLETE, "by their number: the PACS does not list its instances" if by_count else None)
    if missing is None:
        state = State.PARTIAL if here else State.FAILED
        return Judgement(state, f"the PACS neither lists nor counts its instances; {last.in_words}")
    if here:
        return Judgement(State.PARTIAL, f"{missing} of {size} instances did not come; {last.in_words}")
    if last.said is not None and last.said.ending is Ending.SUCCESS:
        return Judgement(State.OFFLINE, "the PACS answered success and sent nothing; it may have to fetch it first")
    return Judgement(State.FAILED, f"none of {size} instances came; {last.in_words}")
