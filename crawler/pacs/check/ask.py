"""Ask a PACS a few questions, politely: one at a time, few rows each, counted. Touches: network, clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace

import pyarrow as pa

from crawler.columns import Attribute
from crawler.errors import PeerError, TransientPeerError
from crawler.model import Identifiers, Level, Model, Peer
from crawler.pacs.association import Association
from crawler.pacs.check.answer import Answer, element_counts
from crawler.pacs.identifier import Query
from crawler.pacs.profile import Profile
from crawler.pacs.profile import attributes as attributes_of

Decode = Callable[[Identifiers, Level], pa.Table]
Permit = Callable[[], AbstractAsyncContextManager[None]]
"""Gives what is to be entered for each query: it waits until the query may go, and sees when it has ended."""

ENOUGH = 500
"""Rows after which an answer is cancelled."""
_BATCH = 100
_PATIENCE = 8.0
"""Seconds that the PACS may be silent, however patient a sweep is."""
_PAUSE = 0.5
"""Seconds before calling again: some PACS reject a caller who has just hung up."""


def hasty(peer: Peer) -> Peer:
    """Give the peer with time-outs that suit a person who waits."""
    limits = peer.limits
    return replace(
        peer,
        limits=replace(
            limits,
            connect_timeout=min(limits.connect_timeout, _PATIENCE),
            idle_timeout=min(limits.idle_timeout, _PATIENCE),
        ),
    )


class Asker:
    """Holds one association, and opens another when the PACS has closed it."""

    def __init__(
        self, peer: Peer, model: Model, decode: Decode, profile: Profile, permit: Permit = nullcontext
    ) -> None:
        self.model = model
        self.queries = 0
        self.broken = 0
        """Answers that broke off, when asked again too."""
        self.reopened = 0
        """How often the PACS had closed the association after a query."""
        self._peer = peer
        self._decode = decode
        self._permit = permit
        self._profile = profile
        self._association: Association | None = None

    async def ask(
        self,
        level: Level,
        matching: Mapping[str, str],
        *,
        attributes: tuple[Attribute, ...] | None = None,
        enough: int = ENOUGH,
    ) -> Answer:
        """Ask one question; more rows than `enough` are cancelled. Raises nothing for what the PACS does.

        `attributes` is what to ask for instead of what the profile asks of this PACS.
        """
        asked_for = attributes if attributes is not None else attributes_of(self._profile, level)
        query = Query(self.model, level, matching, asked_for)
        used = self._association is not None and self.reopened == 0
        answer = await self._once(query, enough)
        if answer.status is None and not len(answer) and used:
            self.reopened += 1
            answer = await self._once(query, enough)
        if self.reopened:
            await self.close()
        self.broken += answer.status is None and not answer.cut
        return answer

    async def once(self, association: Association, query: Query, enough: int = ENOUGH) -> Answer:
        """Ask over another association than our own."""
        async with self._permit():
            return await self._send(association, query, enough)

    async def _send(self, association: Association, query: Query, enough: int) -> Answer:
        self.queries += 1
        batches: list[Identifiers] = []
        status, cut = None, False
        try:
            stream = association.find(query, batch_rows=_BATCH)
            async for batch in stream:
                batches.append(batch)
                if stream.rows >= enough and not stream.is_over:
                    cut = True
                    await stream.cancel()
                    break
            status = stream.status
        except PeerError:
            pass  # no status says it
        tables = [self._decode(batch, query.level) for batch in batches]
        rows = pa.concat_tables(tables) if tables else self._decode(Identifiers.of([]), query.level)
        return Answer(rows, status, cut, *element_counts(batches))

    async def close(self) -> None:
        """Hang up."""
        association, self._association = self._association, None
        if association is not None:
            await association.release()

    async def _once(self, query: Query, enough: int) -> Answer:
        try:
            association = await self._open()
        except PeerError:
            return Answer(self._decode(Identifiers.of([]), query.level), None)
        answer = await self.once(association, query, enough)
        if association.closed:
            self._association = None
        return answer

    async def _open(self) -> Association:
        if self._association is None or self._association.closed:
            try:
                self._association = await Association.open(self._peer, [self.model])
            except TransientPeerError:
                await asyncio.sleep(_PAUSE)
                self._association = await Association.open(self._peer, [self.model])
        return self._association
