"""Jobs that did not get through, and until when each is left alone. Pure: it is told the seconds of some clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from crawler.plan.due import PAUSES
from jobs.exits import Exit

NOT_NOW = {Exit.LOCKED: 30.0, Exit.INTERRUPTED: 300.0}
"""Seconds to wait while somebody else has the lake, and while no PACS may be asked. Neither is a failure."""
NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class _Hold:
    slot: datetime | None
    failures: int
    until: float
    code: int


@dataclass
class Holds:
    """One hold a job at most, for one slot: the next slot is not held."""

    _holds: dict[str, _Hold] = field(default_factory=dict)

    def is_held(self, job: str, slot: datetime | None, at: float) -> bool:
        """Whether a job is to be left alone for this slot."""
        held = self._holds.get(job)
        return held is not None and held.slot == slot and at < held.until

    def failed(self, job: str, slot: datetime | None, code: int, at: float, elsewhere: int = 0) -> float:
        """Hold a job that ended with this exit code; gives the seconds, more each time, in the end `NEVER` again.

        `elsewhere` is how often it had not got through for this slot, as far as others know.
        """
        before = self._holds.get(job)
        failures = max(elsewhere, before.failures if before and before.slot == slot else 0)
        if code in NOT_NOW:
            pause = NOT_NOW[Exit(code)]
        else:
            pause = PAUSES[failures].total_seconds() if failures < len(PAUSES) else NEVER
            failures += 1
        self._holds[job] = _Hold(slot, failures, at + pause, code)
        return pause

    @property
    def failing(self) -> frozenset[str]:
        """The jobs that failed when they were done last; one that is partial got somewhere."""
        better = {*NOT_NOW, Exit.PARTIAL}
        return frozenset(job for job, held in self._holds.items() if held.code not in better)

    def release(self, job: str) -> None:
        """Forget what was with a job."""
        self._holds.pop(job, None)

    def clear(self) -> None:
        """Forget what was with all of them."""
        self._holds.clear()
