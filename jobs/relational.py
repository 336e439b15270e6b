"""Ask for what lies below all of a window at once, by the window's days, where a PACS allows relational queries.

A hierarchical query names one parent; a relational one need not (PS3.4 C.4.1.2.2.1). Never trusted blindly: only what
has as many rows as the PACS itself counts is taken as it is. Whatever else there is, is asked for parent by parent, and
when that brings more, the answer was capped, or such queries are of no use here. Touches: network.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from crawler.model import Finding, Identifiers, Model, Outcome
from crawler.pacs.identifier import Query, window_keys
from crawler.pacs.profile import NO, RELATIONAL, attributes
from crawler.plan.doubts import ROUND
from jobs.caller import Caller
from jobs.children import Parent, by_parent
from jobs.ledger import Ledger
from jobs.lists import LEAST_CAP
from jobs.publish import Child, Publisher, Source

WORTH = 10
"""Where fewer than one parent in so many is due, most of the answer would be known already."""

MISTAKEN = 10
"""After so many parents whose count was wrong and whose rows were all there, this PACS's counts are not believed."""

REFUSALS = 3
"""So many answers without success in a row, and relational queries are given up."""


@dataclass
class Found:
    """What a relational answer brought for the parents that are due."""

    left: Sequence[Parent]
    """Those that must be asked for one by one."""
    sure: list[Child] = field(default_factory=list)
    """Children of those that have as many as the PACS counts."""
    unsure: dict[Parent, list[Child]] = field(default_factory=dict)
    """Children of those whose number nobody tells."""
    seen: dict[Parent, int] = field(default_factory=dict)
    rows: int | None = None
    """None where there was no such answer, or none to be looked at."""
    miscounted: int = 0
    """Those left because they have another number than the PACS counts."""
    more: Counter[Parent] = field(default_factory=Counter)
    """What asking for those left brought of each."""

    def add(self, children: Iterable[Child]) -> None:
        """Note what asking one by one brought."""
        for child in children:
            self.more[child.parents] += len(child.batch)


@dataclass
class Relational:
    """What is known of relational queries at one PACS while it is crawled; several callers may use it at once."""

    model: Model
    source: Source
    publisher: Publisher
    untrue: str | None = None
    """Why they are not used any more though they were found to work."""
    cap: int | None = field(init=False)
    _largest: int = 0
    _whole: set[int] = field(default_factory=set)
    """Numbers of rows that may be caps, and were seen not to be."""
    _mistaken: int = 0
    _refused: int = 0

    def __post_init__(self) -> None:
        self.cap = self.source.profile.cap

    async def ask(self, caller: Caller, ledger: Ledger, due: Sequence[Parent], above: Ledger) -> Found:
        """Ask for all that is due of an answer by its window's days; all of it is left where that is of no use."""
        keys = window_keys(above.query)
        is_worth_it = len(due) > 1 and len(due) * WORTH >= len(above.keys)
        if not self.source.profile.relational or self.untrue or not is_worth_it or not keys or above.query.undated:
            return Found(due)
        query = Query(self.model, ledger.level, keys, attributes(self.source.profile, ledger.level))
        batches: list[Identifiers] = []

        async def hold(batch: Identifiers) -> None:
            batches.append(batch)

        ended = await caller.ask(query, ledger, hold)
        if ended is not Outcome.SUCCESS:
            self._refused += ended is not Outcome.INTERRUPTED
            if ended is Outcome.REFUSED or self._refused == REFUSALS:
                self._distrust("queries by days alone were refused")
            return Found(due)
        self._refused = 0
        children = await by_parent(self.publisher, ledger.level, batches)
        strangers = sum(len(child.batch) for parent in children.keys() - set(above.keys) for child in children[parent])
        rows = sum(map(len, batches))
        if strangers > rows // 2:
            self._distrust("the answer to a query by days alone is mostly about other days")
            return Found(due)
        return self._judge(due, above.counts, children, rows)

    def learn(self, found: Found) -> list[Parent]:
        """Compare with what asking one by one brought; give the parents that must be asked for so after all."""
        if found.rows is None:
            return []
        lacking = [parent for parent in found.left if found.more[parent] > found.seen.get(parent, 0)]
        if not lacking:
            self._mistaken += found.miscounted
            self._whole.add(found.rows)
            self._largest = max(self._largest, found.rows)
            return []
        if found.rows >= max(self._largest, LEAST_CAP):
            self.cap = found.rows
        else:
            self._distrust(f"a query by days alone left out rows of {len(lacking)} studies or series")
        again, found.unsure = list(found.unsure), {}
        return again

    def findings(self) -> list[Finding]:
        """Say that relational queries do not work after all, if that came out."""
        if self.untrue is None:
            return []
        return [Finding(self.source.pacs, None, RELATIONAL, NO, self.untrue, datetime.now(UTC))]

    def _judge(
        self, due: Sequence[Parent], told: Mapping[Parent, int], children: dict[Parent, list[Child]], rows: int
    ) -> Found:
        """Tell apart what is sure, what nobody can be sure of, and what must be asked for one by one."""
        counts = told if self._mistaken < MISTAKEN else {}
        may_be_capped = self._may_be_capped(rows)
        found, left = Found([], rows=rows), []
        for parent in due:
            some = children.get(parent, [])
            size = found.seen[parent] = sum(len(child.batch) for child in some)
            if size and counts.get(parent) == size:
                found.sure += some
            elif size and parent not in counts and not may_be_capped:
                found.unsure[parent] = some
            else:
                left.append(parent)
                found.miscounted += size > 0 and parent in counts
        found.left = left
        return found

    def _may_be_capped(self, rows: int) -> bool:
        """Whether an answer has as many rows as the cap, a round number, or just as many as the largest before it."""
        if self.cap is not None:
            return rows >= self.cap
        return rows not in self._whole and rows >= self._largest and (rows % ROUND == 0 or rows == self._largest)

    def _distrust(self, reason: str) -> None:
        self.untrue = self.untrue or reason
