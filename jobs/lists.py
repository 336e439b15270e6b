"""Ask for the series of several studies at once, by a list of StudyInstanceUIDs, where the PACS is known to take one.

Never trusted blindly: an answer with a row of another study is thrown away, and a study without any row is asked for
singly. If one of these turns out to have series, the answer was capped, or lists are of no use here and all is asked
for study by study from then on. Touches: network.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from crawler.model import Finding, Identifiers, Level, Model, Outcome, WindowState
from crawler.pacs.identifier import Query
from crawler.pacs.profile import NO, UID_LISTS, attributes
from crawler.plan.agenda import BELOW_CAP
from crawler.plan.doubts import ROUND
from jobs.caller import Caller
from jobs.children import Parent, by_parent
from jobs.ledger import Ledger
from jobs.publish import Child, Publisher, Source

AskOne = Callable[[Caller, Level, Parent, Ledger], Awaitable[list[Child]]]
"""Asks for what lies below one parent."""

FIRST, MOST = 10, 100
"""Studies in a list, to begin with and at most: 6,400 bytes of UIDs, and a tenth of what some databases take in one."""

LEAST_CAP = 50
"""No PACS is known to truncate shorter answers."""


@dataclass
class Lists:
    """What is known of lists at one PACS while it is crawled; several callers may use it at once."""

    model: Model
    source: Source
    publisher: Publisher
    untrue: str | None = None
    """Why lists are not used any more though they were found to work."""
    cap: int | None = field(init=False)
    _size: int = FIRST
    _studies: int = 0
    _series: int = 0
    """Of answers that were believed."""
    _tested: set[int] = field(default_factory=set)
    """Counts that may be caps, and were seen to be whole."""
    _largest: int = 0

    def __post_init__(self) -> None:
        self.cap = self.source.profile.cap

    def groups(self, level: Level, parents: Sequence[Parent]) -> Iterator[Sequence[Parent]]:
        """Cut the parents into what is to be asked for at once, each group by what is known when it is taken."""
        at = 0
        while at < len(parents):
            listed = level is Level.SERIES and self.source.profile.uid_lists and not self.untrue
            size = self._fitting() if listed else 1
            yield parents[at : at + size]
            at += size

    async def ask(
        self, caller: Caller, level: Level, group: Sequence[Parent], ledger: Ledger, ask_one: AskOne
    ) -> list[Child]:
        """Ask for what lies below each of a group: by one query if its answer can be believed, else by more."""
        if len(group) == 1:
            return await ask_one(caller, level, group[0], ledger)
        if self.untrue:
            return await singly(caller, level, group, ledger, ask_one)
        found, rows = await self._ask_list(caller, level, group, ledger)
        if found is None:
            self._size = max(len(group) // 2, 1)
            return await self._halves(caller, level, group, ledger, ask_one)
        if self._may_be_capped(rows):
            children = await self._halves(caller, level, group, ledger, ask_one)
            if ledger.complete:
                self._compare(rows, sum(len(child.batch) for child in children))
            return children
        lacking = [parent for parent in group if parent not in found]
        alone = await singly(caller, level, lacking, ledger, ask_one)
        if alone:
            self._exposed(rows)
            return alone + await singly(caller, level, list(found), ledger, ask_one)
        self._believe(len(group), rows)
        ledger.weigh(group, rows)
        return [child for children in found.values() for child in children]

    def findings(self) -> list[Finding]:
        """Say that lists do not work after all, if that came out."""
        if self.untrue is None:
            return []
        return [Finding(self.source.pacs, Level.SERIES, UID_LISTS, NO, self.untrue, datetime.now(UTC))]

    async def _ask_list(
        self, caller: Caller, level: Level, group: Sequence[Parent], ledger: Ledger
    ) -> tuple[dict[Parent, list[Child]] | None, int]:
        """Send the list; give the answer by study, None where it cannot be used, and how many rows it had."""
        keys = {"StudyInstanceUID": "\\".join(study for (study,) in group)}
        query = Query(self.model, level, keys, attributes(self.source.profile, level))
        batches: list[Identifiers] = []

        async def hold(batch: Identifiers) -> None:
            batches.append(batch)

        ended = await caller.ask(query, ledger, hold)
        rows = sum(map(len, batches))
        if ended is Outcome.REFUSED:
            self._distrust("a list of StudyInstanceUIDs was refused")
        if ended is not Outcome.SUCCESS or (self.cap is not None and rows >= self.cap):
            return None, rows
        found = await by_parent(self.publisher, level, batches)
        if not found.keys() <= set(group):
            text = "names no study" if ("",) in found else "belongs to no study of the list"
            self._distrust(f"a row of the answer to a list of StudyInstanceUIDs {text}")
            return None, rows
        return found, rows

    async def _halves(
        self, caller: Caller, level: Level, group: Sequence[Parent], ledger: Ledger, ask_one: AskOne
    ) -> list[Child]:
        middle = len(group) // 2
        first = await self.ask(caller, level, group[:middle], ledger, ask_one)
        return first + await self.ask(caller, level, group[middle:], ledger, ask_one)

    def _may_be_capped(self, rows: int) -> bool:
        """Whether an answer has a round number of rows, or just as many as the largest before it."""
        if self.cap is not None or rows < self._largest or rows in self._tested:
            return False
        return rows > 0 and (rows % ROUND == 0 or rows == self._largest)

    def _compare(self, rows: int, parts: int) -> None:
        if parts > rows:
            self.cap = rows
        else:
            self._tested.add(rows)

    def _exposed(self, rows: int) -> None:
        """Draw the lesson from an answer that left studies out: more than any other had is a cap, else lists fail."""
        if rows >= max(self._largest, LEAST_CAP):
            self.cap = rows
        else:
            self._distrust("a list of StudyInstanceUIDs left out studies that have series")

    def _believe(self, studies: int, rows: int) -> None:
        self._studies += studies
        self._series += rows
        self._largest = max(self._largest, rows)
        if studies >= self._size:
            self._size = min(self._size * 2, MOST)

    def _fitting(self) -> int:
        """How many studies to ask for at once: no more than their series fit under the cap."""
        if self.cap is None:
            return self._size
        each = max(self._series / self._studies, 1.0) if self._studies else self.cap * BELOW_CAP / FIRST
        return max(min(self._size, int(self.cap * BELOW_CAP / each)), 1)

    def _distrust(self, reason: str) -> None:
        self.untrue = self.untrue or reason


async def singly(
    caller: Caller, level: Level, parents: Sequence[Parent], ledger: Ledger, ask_one: AskOne
) -> list[Child]:
    """Ask for one after the other, until the PACS does not answer any more."""
    children: list[Child] = []
    for parent in parents:
        if ledger.verdict.state is not WindowState.INTERRUPTED:
            children += await ask_one(caller, level, parent, ledger)
    return children
