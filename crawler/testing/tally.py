"""What responses to a C-MOVE or C-GET say of its sub-operations, truly or not. Pure."""

from __future__ import annotations

from typing import NamedTuple, assert_never

from crawler.pacs.command import UNCOUNTED, Counters
from crawler.pacs.status import CANCELLED, SUCCESS
from crawler.pacs.suboperations import SubOperations
from crawler.testing.quirks import Claims


class Told(NamedTuple):
    """What a final response says."""

    status: int
    counters: Counters
    failed_uids: list[str]


class Tally(SubOperations):
    """How far the sub-operations of one request are, and what is claimed of it."""

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
