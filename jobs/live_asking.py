"""Ask a PACS for what one question wants of it: studies, then below those that matter. Touches: network, clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TypeVar

from crawler.errors import RefusedError, TransientPeerError, UserError
from crawler.lake.passing import busy_near
from crawler.live.keys import Between
from crawler.live.requests import Below, Request
from crawler.model import Identifiers, Level, Model, Outcome, Peer, SweepRecord, SweepState, Window
from crawler.pacs.identifier import Query
from crawler.pacs.profile import attributes
from crawler.pacs.status import describe
from crawler.plan.answers import Ask, Known
from crawler.plan.sweep import SweepMachine
from jobs.below import CHILD_TRIES, Descent
from jobs.doubting import verdict_below
from jobs.gate import Gate
from jobs.gathering import Gatherer
from jobs.ledger import Ledger, Tally
from jobs.lists import LEAST_CAP
from jobs.narrowed import NarrowedCaller, PartCrawl, by_workers
from jobs.publish import Source

ANYWHERE = Window()
PARENTS = 50
"""Studies, or series, whose rows one worker asks for before it takes the next."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass
class Asking:
    """One question to one PACS. Its rows go to the gatherer, what is not proven into `unproven`."""

    peer: Peer
    source: Source
    gatherer: Gatherer
    gate: Gate
    associations: int
    home: Path | None = None
    """The lake that knows the PACS, where there is one."""
    most_queries: int | None = None
    """So many at one level below the studies are sent, None for any number."""
    queries: int = 0
    unproven: list[str] = field(default_factory=list)
    _stops: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stops.append(self.gate.stop)

    def stop(self) -> None:
        """End after the queries under way."""
        for one in self._stops:
            one()

    async def studies(self, requests: Sequence[Request]) -> None:
        """Ask for studies: by one query where its answer can be believed, else by days as a sweep does."""
        keyed = [one for one in requests if one.matching or one.times]
        doubtful = await self._doubtful(keyed)
        again = await self._doubtful([part for one in doubtful for part in one.listed])
        by_days = [one for one in requests if one not in keyed]
        for request in (*again, *(one for one in doubtful if not one.listed), *by_days):
            await self._sweep(request)
        await self.gatherer.commit()

    async def below(self, level: Level, wanted: Sequence[Below]) -> None:
        """Ask for series, or images, below what the answers so far have that is wanted. UserError for too many."""
        conditions = [_condition(one, level) for one in wanted]
        found = await self.gatherer.read(lambda: self.gatherer.passing.parents(level, conditions))
        if self.most_queries is not None and len(found) > self.most_queries:
            at = f"{level.query_retrieve_level} level"
            raise UserError(f"this takes {len(found):,} queries at {at}: narrow it further, or add --yes")
        counts = {keys: count for keys, count in found.items() if count is not None}
        descent = Descent(Model.STUDY_ROOT, self.source, self.gatherer, Tally(), self.gate.stopping)
        keys = list(found)

        async def ask(caller: NarrowedCaller, group: Sequence[tuple[str, ...]]) -> Ledger:
            return await descent.ask(caller, level, group, counts)

        ledgers = await self._by_workers([keys[at : at + PARENTS] for at in range(0, len(keys), PARENTS)], ask)
        largest = max((ledger.largest for ledger in ledgers), default=0)
        for ledger in ledgers:
            self.queries += ledger.queries
            verdict = verdict_below(ledger, largest, self.source.profile.cap) if ledger.complete else ledger.verdict
            if verdict is not None:
                self.unproven.append(f"{level.value} level: {verdict.state}, {verdict.reason}")
        await self.gatherer.commit()

    async def _doubtful(self, requests: Sequence[Request]) -> list[Request]:
        """Ask for studies by one query each; give those that may have brought less than there is."""
        believed = await self._by_workers(requests, self._ask_once)
        return [one for one, is_believed in zip(requests, believed, strict=True) if not is_believed]

    async def _ask_once(self, caller: NarrowedCaller, request: Request) -> bool:
        """Ask for studies by one query; say whether all came that there are."""
        ledger = Ledger(Level.STUDY)

        async def keep(batch: Identifiers) -> None:
            kept = await self.gatherer.keep(self.source, batch, Ask(ANYWHERE, ANYWHERE))
            ledger.count(len(batch), kept)

        for _ in range(CHILD_TRIES):
            ended = await caller.ask(self._query(request.keys), ledger, keep)
            if ended is not Outcome.INTERRUPTED or self.gate.stopping.is_set():
                break
        self.queries += ledger.queries
        if ended is Outcome.REFUSED and not request.listed:
            raise RefusedError(f"{self.peer.name} refuses the question: it ended with {describe(ledger.status)}")
        if ended is not Outcome.SUCCESS:
            return False
        if request.listed and ledger.answers < len(request.listed):
            return False  # some are not there, or the list was not understood
        if ledger.answers:
            return ledger.answers < (self.source.profile.cap or LEAST_CAP)
        return request.is_single or await self._is_nothing(caller, request)

    async def _is_nothing(self, caller: NarrowedCaller, request: Request) -> bool:
        """Say whether no rows are to be left at that: who answers nothing for too much does for a wider question too.

        Not even the first rows of a whole archive are asked for unless a person said so: it is not proven then.
        """
        may_ask_all = self.most_queries is None or not request.is_narrow
        for keys in (request.wider, {}) if may_ask_all and request.days == Between() else (request.wider,):
            self.queries += 1
            if (keys or may_ask_all) and await caller.sees_any(self._query(keys)):
                return True
        if may_ask_all or request.days != Between():
            return False
        self.unproven.append("no studies came, nor for a wider question; name days too, or add --yes")
        return True

    async def _sweep(self, request: Request) -> None:
        """Ask for studies by windows of days, as a sweep does, with the keys that the question has besides."""
        if self.gate.stopping.is_set():
            return
        profile, keys = self.source.profile, dict(request.matching)
        unusable = profile.unsupported | keys.keys()
        days = (request.days.low, request.days.high)
        home = None if keys else self.home
        busy = await self.gatherer.read(lambda: busy_near(home, self.source.pacs, days)) if home else ()
        known = Known(profile.cap, frozenset(unusable), profile.always_timed or None, busy)
        crawl = PartCrawl(
            peer=self.peer,
            model=Model.STUDY_ROOT,
            levels=(Level.STUDY,),
            source=self.source,
            machine=SweepMachine(*days, date.today(), known=known),
            publisher=self.gatherer,
            begun=SweepRecord(
                self.source.sweep_id, self.source.pacs, (Level.STUDY,), *days, SweepState.RUNNING, datetime.now(UTC)
            ),
            gate=self.gate,
            keys=keys,
        )
        self._stops.append(crawl.stop)
        await crawl.run(self.associations)
        self._stops.remove(crawl.stop)
        self.queries += crawl.tally.queries
        self.unproven += crawl.unproven
        if crawl.tally.trouble and not crawl.tally.queries:  # it was never reached
            raise TransientPeerError(crawl.tally.trouble)
        if crawl.tally.trouble:
            self.unproven.append(crawl.tally.trouble)

    def _query(self, keys: Mapping[str, str]) -> Query:
        return Query(Model.STUDY_ROOT, Level.STUDY, keys, attributes(self.source.profile, Level.STUDY))

    async def _by_workers(self, tasks: Sequence[T], work: Callable[[NarrowedCaller, T], Awaitable[R]]) -> list[R]:
        """Do tasks over as many associations as may be, in any order. PeerError where the PACS turns us away."""
        callers = [NarrowedCaller(self.peer, self.source.profile, self.gate) for _ in range(self.associations)]
        return await by_workers(callers, tasks, work, self.stop)


def _condition(below: Below, level: Level) -> str:
    """Give what is wanted of the rows below which is asked, in SQL."""
    studies = below.studies or "true"
    if level is Level.SERIES:
        return studies
    return f"StudyInstanceUID IN (SELECT StudyInstanceUID FROM studies WHERE {studies}) AND {below.series or 'true'}"
