"""One series on its way to us, and what is done about it. Pure."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from enum import Enum

from crawler.model import Level
from crawler.retrieve.reconcile import Ended, Listing
from crawler.retrieve.state import State

MOST_INSTANCES = 64
"""Instances that one request names; fewer after one that brought nothing: a PACS may not know lists of UIDs."""


@dataclass(frozen=True, slots=True)
class Item:
    """A series that is wanted, or a whole study where its series are not known."""

    study_uid: str
    series_uid: str | None = None
    patient_id: str | None = None
    instances: int | None = None
    """How many it had when somebody looked before."""
    by_name: bool = False
    """Whether not all of it is wanted, so that instances are asked for by name alone."""

    @property
    def uid(self) -> str:
        """What it is known by."""
        return self.series_uid or self.study_uid


@dataclass(frozen=True, slots=True)
class Look:
    """Ask which instances a series has, or which series a study has."""

    item: Item


@dataclass(frozen=True, slots=True)
class Fetch:
    """Have a series sent, or those of its instances that are named."""

    item: Item
    instances: tuple[str, ...] = ()

    @property
    def level(self) -> Level:
        """At which level that is asked."""
        return Level.IMAGE if self.instances else Level.SERIES


@dataclass(frozen=True, slots=True)
class Check:
    """Read back the files of a series of which all has arrived."""

    item: Item


Task = Look | Fetch | Check


class Stage(Enum):
    """What is next for a series."""

    LOOK = "look"
    FETCH = "fetch"
    SETTLE = "settle"
    """A request has ended, and more of it may arrive."""
    CHECK = "check"
    DONE = "done"


@dataclass(slots=True, eq=False)
class Track:
    """One series on its way."""

    item: Item
    cohort: str
    here: set[str] = field(default_factory=set)
    state: State = State.PLANNED
    reason: str | None = None
    stage: Stage = Stage.LOOK
    listing: Listing = field(default_factory=Listing)
    last: Ended = field(default_factory=Ended)
    asked: Fetch | None = None
    """The last request."""
    requests: int = 0
    looks: int = 0
    fruitless: int = 0
    """Requests in a row that brought nothing."""
    moved_at: float = 0.0
    """When something came of it last, or its last request ended."""
    _here_before: int = 0
    _most: int = MOST_INSTANCES
    _levels: Set[Level] = frozenset((Level.SERIES, Level.IMAGE))
    """Levels that the PACS did not refuse."""

    @property
    def missing(self) -> int | None:
        """How many of its instances are not here, None while nothing tells."""
        return self.listing.missing(self.here)

    @property
    def all_came(self) -> bool:
        """Whether what the last request asked for is here, so that nothing more is to be waited for."""
        named = self.asked.instances if self.asked else ()
        return self.missing == 0 or (bool(named) and self.here.issuperset(named))

    def request(self) -> Fetch:
        """Make the next request: by name for what is missing of a series that is here in part, else for all of it."""
        names = sorted((self.listing.instances or frozenset()) - self.here)
        mostly_here = self.item.by_name or (bool(names) and len(self.here) >= len(names))
        tried = self.asked is not None and self.asked.level is Level.SERIES
        by_name = names and Level.IMAGE in self._levels and (mostly_here or tried or Level.SERIES not in self._levels)
        self.asked = Fetch(self.item, tuple(names[: self._most]) if by_name else ())
        self._here_before = len(self.here)
        self.requests += 1
        return self.asked

    def weigh_request(self) -> None:
        """Count what the last request brought, and ask otherwise after one that brought nothing."""
        if len(self.here) > self._here_before:
            self.fruitless = 0
            return
        self.fruitless += 1
        self._most = max(1, self._most // 8)

    def refuse_level(self) -> bool:
        """Note that the PACS refuses requests like the last one; say whether there is another way to ask."""
        if self.asked is not None:
            self._levels = self._levels - {self.asked.level}
        if self.item.by_name:
            return Level.IMAGE in self._levels
        return bool(self._levels) and (Level.SERIES in self._levels or self.listing.instances is not None)
