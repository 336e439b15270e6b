"""What is known of a window, and of a whole sweep, while its answers come in. Touches: clock."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from crawler.model import Coverage, Level, SweepRecord, Window, WindowState
from crawler.plan.answers import COMPLETE, Accept
from crawler.plan.doubts import ROUND, SMALLEST_CAP
from crawler.plan.sight import Sight
from jobs.publish import Kept, Source

UNCHANGED = "not asked below again, because unchanged"


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
    removed: int = 0
    """Studies, series and instances that have gone from the PACS."""
    rejects: int = 0
    parents_due: int = 0
    """Studies, and series, that the answers so far named and whose series, or images, are to be asked for."""
    parents_asked: int = 0
    rows: dict[Level, int] = field(default_factory=lambda: dict.fromkeys(Level, 0))
    trouble: str | None = None
    """Why the crawl ended before its time, for the person who started it."""

    def count(self, kept: Kept) -> None:
        """Add what became of one batch."""
        self.inserted += kept.staged.inserted
        self.updated += kept.staged.updated
        self.rejects += kept.staged.rejects

    def doubt(self, state: WindowState) -> None:
        """Add a window that is not proven."""
        self.unproven += 1
        self.capped += state is WindowState.CAPPED

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
    rejects: int = 0
    outside: int = 0
    unchanged: int = 0
    """Studies and series that were not asked below again, because they are as they were when that was done."""
    query: Window = field(default_factory=Window)
    """What its window was asked for with, a little wider while range ends are in doubt."""
    sight: Sight = field(default_factory=Sight)
    keys: list[tuple[str, ...]] = field(default_factory=list)
    """The unique keys of its rows, which the next level is asked with."""
    counts: dict[tuple[str, ...], int] = field(default_factory=dict)
    """How many rows the next level has below each, as far as the PACS counts them."""
    counted: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    """The same of the level above: how many rows are to come of each of its studies, or series."""
    largest: int = 0
    """Rows of the largest answer about single parents."""
    doubtful: set[int] = field(default_factory=set)
    """Rows of such answers that may have been capped: as many as were counted are not among them."""
    short: set[int] = field(default_factory=set)
    """Those of them with fewer rows than the PACS counts."""
    asked_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    began: float = field(default_factory=time.monotonic)

    def count(self, answers: int, kept: Kept) -> None:
        """Add what became of a batch of so many answers."""
        self.answers += answers
        self.rows += kept.rows
        self.sight += kept.sight
        self.rejects += kept.staged.rejects
        self.outside += kept.outside
        self.keys.extend(kept.keys)
        self.counts.update(kept.counts)

    def weigh(self, parents: Sequence[tuple[str, ...]], rows: int) -> None:
        """Note an answer about these parents, of so many rows."""
        self.largest = max(self.largest, rows)
        told = [self.counted[parent] for parent in parents if parent in self.counted]
        total = sum(told) if len(told) == len(parents) else None
        if rows >= SMALLEST_CAP and rows != total:
            self.doubtful.add(rows)
            if total is not None and total > rows:
                self.short.add(rows)

    def capped(self, largest: int, cap: int | None) -> int | None:
        """Give the rows of an answer that was capped, going by the largest of all at this level and the PACS's cap."""
        found = [
            rows
            for rows in self.doubtful
            if rows == cap or (rows >= largest and (rows in self.short or rows % ROUND == 0))
        ]
        return max(found, default=None)

    @property
    def complete(self) -> bool:
        """Whether nothing speaks against its being complete."""
        return self.verdict.state is WindowState.COMPLETE

    def coverage(self, source: Source, window: Window, cap: int | None = None) -> Coverage:
        """Make the row of the `windows` table; `cap` is what is known of the PACS."""
        return Coverage(
            pacs=source.pacs,
            level=self.level,
            window=window,
            state=self.verdict.state,
            rows=self.rows,
            sweep_id=source.sweep_id,
            asked_at=self.asked_at,
            took_ms=int((time.monotonic() - self.began) * 1000),  # never later than a row that follows
            status=self.status,
            queries=self.queries,
            duplicates=self.sight.repeated,
            undated=self.sight.undated,
            rejects=self.rejects,
            reason=self.verdict.reason or (f"{UNCHANGED}: {self.unchanged}" if self.unchanged else None),
            cap=cap if self.verdict.state is WindowState.CAPPED else None,
        )
