"""A caller, and a crawl, that add keys to each query: to ask for part of what a PACS has. Touches: network, clock."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from crawler.errors import PeerError, TransientPeerError
from crawler.model import Model, Outcome, Peer, Window
from crawler.pacs.identifier import Query
from crawler.pacs.profile import Profile
from jobs.caller import Caller, Sink, together
from jobs.crawl import Crawl
from jobs.gate import Gate
from jobs.ledger import Ledger

T = TypeVar("T")
R = TypeVar("R")


class NarrowedCaller(Caller):
    """Asks each query with further keys."""

    def __init__(self, peer: Peer, profile: Profile, gate: Gate, keys: Mapping[str, str] | None = None) -> None:
        super().__init__(peer, Model.STUDY_ROOT, gate, profile)
        self._keys = keys or {}

    async def ask(self, query: Query, ledger: Ledger, sink: Sink) -> Outcome:
        """Send one query, as any caller does."""
        return await super().ask(replace(query, matching={**self._keys, **query.matching}), ledger, sink)

    async def sees_any(self, query: Query) -> bool:
        """Whether a query has any answer; the rest of it is cancelled."""
        began, rows = time.perf_counter(), 0
        association = await self.permitted()
        if association is None:
            return False
        try:
            answer = association.find(query, batch_rows=1)
            async for batch in answer:
                rows += len(batch)
                break
            if not answer.is_over and not await answer.cancel():
                self.drop()
        except TransientPeerError:
            self.drop()
            self._gate.lost(began=rows > 0)
            return rows > 0
        self._gate.answered(query.level, answer.rows, time.perf_counter() - began, refused=False)
        return rows > 0


@dataclass
class PartCrawl(Crawl):
    """The crawl of those studies of a PACS that have some keys."""

    keys: Mapping[str, str] = field(default_factory=dict)
    unproven: list[str] = field(default_factory=list)
    """Parts that may lack something, and why."""

    def _caller(self) -> Caller:
        return NarrowedCaller(self.peer, self.source.profile, self.gate, self.keys)

    async def _write(self, window: Window, ledgers: list[Ledger]) -> None:
        await super()._write(window, ledgers)
        for ledger in ledgers:
            if not ledger.complete:
                self.unproven.append(f"{_in_words(window)}: {ledger.verdict.state}, {ledger.verdict.reason}")


async def by_workers(
    callers: Sequence[NarrowedCaller],
    tasks: Sequence[T],
    work: Callable[[NarrowedCaller, T], Awaitable[R]],
    stop: Callable[[], None],
) -> list[R]:
    """Do tasks, each by the caller that is free, and stop where one fails. PeerError where the PACS turns us away."""
    results: dict[int, R] = {}
    waiting = iter(enumerate(tasks))
    failed: list[PeerError] = []

    async def serve(caller: NarrowedCaller, *, spare: bool) -> None:
        try:
            if spare and not await caller.reaches():
                return
            for number, task in waiting:
                results[number] = await work(caller, task)
                if not caller.reached and caller.trouble:
                    raise TransientPeerError(caller.trouble)
        except PeerError as error:
            failed.append(error)
            stop()
        finally:
            await caller.hang_up()

    async with together() as group:
        for number, caller in enumerate(callers[: len(tasks)]):
            group.create_task(serve(caller, spare=number > 0))
    if failed:
        raise failed[0]
    return [results[number] for number in range(len(tasks))]


def _in_words(window: Window) -> str:
    """Say which studies a window stands for."""
    if window.undated:
        return "studies without a date"
    first, last = (str(day) if day else "…" for day in (window.date_from, window.date_to))
    days = first if first == last else f"{first} to {last}"
    times = f" {window.time_from} to {window.time_to}" if window.time_from else ""
    return f"{days}{times}{f' {window.key}' if window.key else ''}"
