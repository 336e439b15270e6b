"""Find the attribute for which a PACS refuses a whole query, and ask without it since. Touches: network, clock."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import structlog

from crawler.columns import CATALOGUE, Attribute
from crawler.model import HIERARCHY, Finding, Identifiers, Level, Model, Outcome, Peer
from crawler.pacs.identifier import Query
from crawler.pacs.profile import REFUSED, REFUSED_ATTRIBUTE, Profile
from jobs.caller import Caller, Sink
from jobs.gate import Gate
from jobs.ledger import Ledger

MOST = 3
"""So many attributes are looked for at one level, by some seven queries each."""

_NEEDED = frozenset(("SpecificCharacterSet", "StudyDate", *(level.unique_key for level in HIERARCHY)))
"""An answer without these is of no use."""


@dataclass
class Omitting:
    """What is left out at one PACS while it is crawled, by level; several callers share it."""

    found: dict[Level, list[str]] = field(default_factory=dict)
    settled: set[Level] = field(default_factory=set)
    """Levels at which a query succeeded, or whose refusal was looked into: it is not done twice."""
    looking: asyncio.Lock = field(default_factory=asyncio.Lock)

    def without(self, query: Query) -> Query:
        """Leave out of a query what is known to make the PACS refuse it."""
        found = self.found.get(query.level)
        if not found:
            return query
        kept = (key for key in query.attributes or CATALOGUE[query.level] if key.keyword not in found)
        return replace(query, attributes=tuple(kept))

    def findings(self, pacs: str) -> list[Finding]:
        """Say what was found out."""
        now, why = datetime.now(UTC), "a query with it was refused, the same without it was answered"
        return [
            Finding(pacs, level, f"{REFUSED_ATTRIBUTE}{keyword}", REFUSED, why, now)
            for level, keywords in self.found.items()
            for keyword in keywords
        ]


class _BrokenOffError(Exception):
    """The PACS gave no answer."""


class OmittingCaller(Caller):
    """Asks again without an attribute where that makes the difference between a refusal and an answer."""

    def __init__(self, peer: Peer, model: Model, gate: Gate, profile: Profile, omitting: Omitting) -> None:
        super().__init__(peer, model, gate, profile)
        self._omitting = omitting

    async def ask(self, query: Query, ledger: Ledger, sink: Sink) -> Outcome:
        """Send one query, or the same without what the PACS refuses. Raises RefusedError."""
        omitting, level = self._omitting, query.level
        if level in omitting.settled:
            return await super().ask(omitting.without(query), ledger, sink)
        rows = 0

        async def count(batch: Identifiers) -> None:
            nonlocal rows
            rows += len(batch)
            await sink(batch)

        outcome = await super().ask(query, ledger, count)
        if outcome is Outcome.SUCCESS:
            omitting.settled.add(level)
        if rows or not _is_about_the_identifier(ledger.status):
            return outcome
        async with omitting.looking:
            if level not in omitting.settled:
                await self._look(query, ledger)
                omitting.settled.add(level)
        return await super().ask(omitting.without(query), ledger, sink) if omitting.found.get(level) else outcome

    async def _look(self, query: Query, ledger: Ledger) -> None:
        """Find what makes the PACS refuse a query, by asking it with less; each query counts in the ledger."""
        needed = {*_NEEDED, *query.matching}
        keys = query.attributes or CATALOGUE[query.level]
        bare = [key for key in keys if key.keyword in needed]
        left = [key for key in keys if key.keyword not in needed]
        asked, found = Ledger(query.level), list[str]()
        try:
            if not await self._passes(query, bare, asked):
                return
            while len(found) < MOST and not await self._passes(query, [*bare, *left], asked):
                guilty = await self._guilty(query, bare, left, asked)
                if guilty is None:
                    break
                left.remove(guilty)
                found.append(guilty.keyword)
                self._omitting.found[query.level] = found
                told = {"pacs": self._peer.name, "level": query.level.value, "attribute": guilty.keyword}
                structlog.get_logger("sweep").warning("refused for one attribute, asked without it", **told)
        except _BrokenOffError:
            return
        finally:
            ledger.queries += asked.queries

    async def _guilty(
        self, query: Query, bare: Sequence[Attribute], left: Sequence[Attribute], asked: Ledger
    ) -> Attribute | None:
        """Give the attribute with which a query begins to be refused; None where it is not refused with that alone."""
        passes, fails = 0, len(left)
        while fails - passes > 1:
            middle = (passes + fails) // 2
            if await self._passes(query, [*bare, *left[:middle]], asked):
                passes = middle
            else:
                fails = middle
        guilty = left[fails - 1]
        return None if await self._passes(query, [*bare, guilty], asked) else guilty

    async def _passes(self, query: Query, keys: Sequence[Attribute], asked: Ledger) -> bool:
        """Whether a query for these alone is answered. Raises _BrokenOffError."""
        wanted = replace(query, attributes=tuple(sorted(keys, key=lambda key: key.top)))
        outcome = await super().ask(wanted, asked, _throw_away)
        if outcome is Outcome.INTERRUPTED:
            raise _BrokenOffError
        return outcome is Outcome.SUCCESS


async def _throw_away(batch: Identifiers) -> None:
    """Take rows that are asked for again."""


def _is_about_the_identifier(status: int | None) -> bool:
    """Whether a status may say that something in the identifier is wrong (PS3.4 C.4.1.1.4)."""
    return status is not None and (0xA900 <= status <= 0xA9FF or 0xC000 <= status <= 0xCFFF)
