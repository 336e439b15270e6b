"""The sub-operations of one C-MOVE or C-GET: how they are counted, and what responses say (PS3.4 C.4.2.1). Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, assert_never

from crawler.pacs.command import UNCOUNTED, Counters
from crawler.testing.quirks import Claims

SUCCESS = 0x0000
CANCELLED = 0xFE00
SOME_FAILED = 0xB000
NOT_PERFORMED = 0xA702


class Told(NamedTuple):
    """What a final response says."""

    status: int
    counters: Counters
    failed_uids: list[str]


@dataclass
class Tally:
    """How far the sub-operations of one request are."""

    remaining: int
    completed: int = 0
    failed: int = 0
    warning: int = 0
    failed_uids: list[str] = field(default_factory=list)

    def add(self, uid: str, status: int) -> None:
        """Count one that was answered by this status."""
        self.remaining -= 1
        if status == SUCCESS:
            self.completed += 1
        elif status >> 12 == 0xB:
            self.warning += 1
        else:
            self.failed += 1
            self.failed_uids.append(uid)

    @property
    def counters(self) -> Counters:
        """The counters as they are."""
        return Counters(self.remaining, self.completed, self.failed, self.warning)

    @property
    def status(self) -> int:
        """The final status that these numbers deserve."""
        if self.remaining:
            return CANCELLED
        if not self.failed and not self.warning:
            return SUCCESS
        return SOME_FAILED if self.completed or self.warning else NOT_PERFORMED

    def pending(self, claims: Claims) -> Counters:
        """Give the counters of a pending response, as a PACS that makes such claims tells them."""
        if claims in (Claims.NOTHING, Claims.UNCOUNTED):
            return UNCOUNTED
        if claims is Claims.COMPLETED:
            return Counters(self.remaining, self.completed + self.failed + self.warning, 0, 0)
        return self.counters

    def final(self, claims: Claims) -> Told:
        """Give the final response, as a PACS that makes such claims tells it; only a cancelled one has remaining."""
        counters = self.counters._replace(remaining=self.remaining or None)
        if self.remaining:
            return Told(CANCELLED, counters, self.failed_uids)
        match claims:
            case Claims.TRUTH:
                return Told(self.status, counters, self.failed_uids)
            case Claims.SUCCESS:
                return Told(SUCCESS, counters, [])
            case Claims.COMPLETED:
                return Told(SUCCESS, Counters(None, self.completed + self.failed + self.warning, 0, 0), [])
            case Claims.NOTHING:
                return Told(SUCCESS, Counters(None, 0, 0, 0), [])
            case Claims.UNCOUNTED:
                return Told(self.status, UNCOUNTED, [])
            case never:
                assert_never(never)
