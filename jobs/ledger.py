"""What is known of a window, and of a whole sweep, while its answers come in. Touches: clock."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from crawler.model import Coverage, Level, SweepRecord, Window, WindowState
from crawler.plan.sweep import COMPLETE, Accept
from jobs.publish import Kept, Source


@dataclass
class Tally:
    """What the crawl of one PACS has done so far: for progress, and for the sweep's record."""

    windows: int = 0
    unproven: int = 0
    capped: int = 0
    """Those of the unproven windows whose answers are known to be capped."""
    queries: int = 0
    inserted: int = 0
    updated: int = 0
    rejects: int = 0
    parents_due: int = 0
    """Studies, and series, that the answers so far named and whose series, or images, are to be asked for."""
    parents_asked: int = 0
    rows: dict[Level, int] = field(default_factory=lambda: dict.fromkeys(Level, 0))
    trouble: str | None = None
    """Why the crawl ended before its time, for the person who started it."""

    def count(self, level: Level, kept: Kept) -> None:
        """Add what became of one batch."""
        self.rows[level] += kept.staged.rows
        self.inserted += kept.staged.inserted
        self.updated += kept.staged.updated
        self.rejects += kept.staged.rejects

    def settle(self, ledgers: Sequence[Ledger]) -> None:
        """Add a window that was asked for at these levels."""
        self.windows += 1
        self.queries += sum(one.queries for one in ledgers)
        self.unproven += not ledgers[-1].complete
        self.capped += ledgers[-1].verdict.state is WindowState.CAPPED

    def added_to(self, record: SweepRecord, finished_at: datetime | None) -> SweepRecord:
        """Give the record with all of this counted on top."""
        return replace(
            record,
            finished_at=finished_at,
            windows=record.windows + self.windows,
            queries=record.queries + self.queries,
            studies=record.studies + self.rows[Level.STUDY],
            series=record.series + self.rows[Level.SERIES],
            instances=record.instances + self.rows[Level.IMAGE],
            inserted=record.inserted + self.inserted,
            updated=record.updated + self.updated,
        )


@dataclass
class Ledger:
    """One window at one level: what has been asked and what has come."""

    level: Level
    verdict: Accept = COMPLETE
    status: int | None = None
    answers: int = 0
    """Rows as the PACS sent them, before any was dropped."""
    rows: int = 0
    queries: int = 0
    duplicates: int = 0
    rejects: int = 0
    outside: int = 0
    keys: list[tuple[str, ...]] = field(default_factory=list)
    """The unique keys of its rows, which the next level is asked with."""
    asked_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    began: float = field(default_factory=time.monotonic)

    def count(self, answers: int, kept: Kept) -> None:
        """Add what became of a batch of so many answers."""
        self.answers += answers
        self.rows += kept.staged.rows
        self.duplicates += kept.staged.duplicates
        self.rejects += kept.staged.rejects
        self.outside += kept.outside
        self.keys.extend(kept.keys)

    @property
    def complete(self) -> bool:
        """Whether nothing speaks against its being complete."""
        return self.verdict.state is WindowState.COMPLETE

    def coverage(self, source: Source, window: Window) -> Coverage:
        """Make the row of the `windows` table."""
        return Coverage(
            pacs=source.pacs,
            level=self.level,
            window=window,
            state=self.verdict.state,
            rows=self.rows,
            sweep_id=source.sweep_id,
            asked_at=self.asked_at,
            took_ms=round((time.monotonic() - self.began) * 1000),
            status=self.status,
            queries=self.queries,
            duplicates=self.duplicates,
            rejects=self.rejects,
            reason=self.verdict.reason,
            cap=source.profile.cap if self.verdict.state is WindowState.CAPPED else None,
        )
