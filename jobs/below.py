"""Ask one level down for each study, and for each series, of a window. Touches: network, clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from crawler.model import Finding, Identifiers, Level, Model, Outcome, WindowState
from crawler.pacs.identifier import Query
from crawler.pacs.profile import attributes
from crawler.pacs.status import describe
from crawler.plan.answers import Accept
from jobs.caller import Caller
from jobs.children import Parent
from jobs.ledger import Ledger, Tally
from jobs.lists import Lists
from jobs.omitting import Omitting
from jobs.publish import PARENT_KEYS, Child, Publisher, Source
from jobs.relational import Found, Relational

STAGE_ROWS, STAGE_SECONDS = 5000, 1.0
"""Answers of small queries are decoded together, about so many at a time, or those of so long."""

CHILD_TRIES = 3
"""A query below STUDY level that is cut off is asked so many times before its window is left unproven."""

STOPPED = Accept(WindowState.INTERRUPTED, "stopped on request")


@dataclass
class Descent:
    """What the levels below STUDY of one crawl have in common."""

    model: Model
    source: Source
    publisher: Publisher
    tally: Tally
    stopping: asyncio.Event
    above: Mapping[str, str] = field(default_factory=dict)
    """Unique keys above STUDY level, which Patient Root wants in every query (PS3.4 C.4.1.2.1)."""
    omitting: Omitting = field(default_factory=Omitting)
    """What is left out of queries at every level, those by days too."""
    lists: Lists = field(init=False)
    relational: Relational = field(init=False)

    def __post_init__(self) -> None:
        self.relational = Relational(self.model, self.source, self.publisher)
        self.lists = Lists(self.model, self.source, self.publisher)

    async def ask_below(self, caller: Caller, level: Level, due: Sequence[Parent], above: Ledger) -> Ledger:
        """Ask for what lies below what is due of an answer: for all at once where that can be believed."""
        ledger = Ledger(level, query=above.query, counted=above.counts)
        found = await self.relational.ask(caller, ledger, due, above)
        self.tally.parents_due += len(due)
        self.tally.parents_asked += len(due) - len(found.left)
        await self._keep(found.sure, ledger)
        await self._ask_each(caller, found.left, ledger, found)
        if ledger.verdict.state is not WindowState.INTERRUPTED:
            await self._ask_each(caller, self.relational.learn(found), ledger)
        await self._keep([child for children in found.unsure.values() for child in children], ledger)
        return self._judged(ledger)

    async def ask(
        self, caller: Caller, level: Level, parents: Sequence[Parent], counted: Mapping[Parent, int] | None = None
    ) -> Ledger:
        """Ask for what lies below each parent. A query that fails leaves the level unproven; the others are asked."""
        ledger = Ledger(level, counted=counted or {})
        self.tally.parents_due += len(parents)
        await self._ask_each(caller, parents, ledger)
        return self._judged(ledger)

    async def _ask_each(
        self, caller: Caller, parents: Sequence[Parent], ledger: Ledger, found: Found | None = None
    ) -> None:
        """Ask for each, or by lists; tell `found` what that brought."""
        level, held = ledger.level, list[Child]()
        kept_at = time.monotonic()
        for group in self.lists.groups(level, parents):
            if self.stopping.is_set():
                ledger.verdict = STOPPED
            if ledger.verdict.state is WindowState.INTERRUPTED:
                break
            children = await self.lists.ask(caller, level, group, ledger, self._ask_parent)
            held += children
            if found is not None:
                found.add(children)
            self.tally.parents_asked += len(group)
            late = time.monotonic() - kept_at > STAGE_SECONDS
            if late or sum(len(child.batch) for child in held) >= STAGE_ROWS:
                held, kept_at = await self._keep(held, ledger), time.monotonic()
        await self._keep(held, ledger)

    def _judged(self, ledger: Ledger) -> Ledger:
        if ledger.complete and ledger.outside:
            ledger.verdict = Accept(WindowState.FILTER_IGNORED, f"{ledger.outside} rows belong to other parents")
        return ledger

    def findings(self) -> list[Finding]:
        """Say what does not work after all, if that came out."""
        return self.lists.findings() + self.relational.findings() + self.omitting.findings(self.source.pacs)

    async def _keep(self, held: list[Child], ledger: Ledger) -> list[Child]:
        """Hand over what is held; give the empty list to go on with."""
        if held:
            kept = await self.publisher.keep_children(self.source, ledger.level, held)
            ledger.count(kept.rows, kept)
            self.tally.count(kept)
            self.tally.rows[ledger.level] += kept.rows
        return []

    async def _ask_parent(self, caller: Caller, level: Level, parent: tuple[str, ...], ledger: Ledger) -> list[Child]:
        """Ask for what lies below one parent; an answer that was cut off is thrown away and asked for again."""
        keys = {**self.above, **dict(zip(PARENT_KEYS[level], parent, strict=True))}
        query = Query.below(self.model, level, keys, attributes(self.source.profile, level))
        for _ in range(CHILD_TRIES):
            children: list[Child] = []

            async def hold(batch: Identifiers, children: list[Child] = children) -> None:
                children.append(Child(parent, batch))

            ended = await caller.ask(query, ledger, hold)
            if ended is not Outcome.INTERRUPTED:
                break
        if ended is not Outcome.SUCCESS:
            lost = ended in (Outcome.INTERRUPTED, Outcome.CANCELLED)
            state = WindowState.INTERRUPTED if lost else WindowState.REFUSED
            ledger.verdict = Accept(state, f"a {level.query_retrieve_level} query ended with {describe(ledger.status)}")
        else:
            ledger.weigh([parent], sum(len(child.batch) for child in children))
        return children
