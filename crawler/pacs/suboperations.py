"""The sub-operations of one C-MOVE or C-GET as its responses count them (PS3.4 C.4.2.1, C.4.3.1). Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from crawler.pacs.command import Counters
from crawler.pacs.status import CANCELLED, SUCCESS

SOME_FAILED = 0xB000
NOT_PERFORMED = 0xA702


@dataclass
class SubOperations:
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
