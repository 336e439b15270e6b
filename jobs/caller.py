"""Ask a PACS over one association, opening another when it was closed. Touches: network."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from crawler.errors import TransientPeerError
from crawler.model import Identifiers, Model, Outcome, Peer
from crawler.pacs.association import Association
from crawler.pacs.identifier import Query
from crawler.pacs.status import outcome_of
from jobs.ledger import Ledger

Sink = Callable[[Identifiers], Awaitable[None]]


class Caller:
    """One association at a time to one PACS."""

    def __init__(self, peer: Peer, model: Model, *, once: bool = False) -> None:
        self._peer = peer
        self._once = once
        self._model = model
        self._association: Association | None = None
        self.reached = False
        """Whether the PACS ever accepted an association."""
        self.trouble: str | None = None
        """Why the last query that was cut off was."""

    async def association(self) -> Association:
        """Give the open association, a new one where the PACS has closed it since."""
        if self._association is None or self._association.closed:
            self._association = await Association.open(self._peer, [self._model])
            self.reached = True
        return self._association

    async def ask(self, query: Query, ledger: Ledger, sink: Sink) -> Outcome:
        """Send one query, hand on each batch of its answer, and say how it ended. Raises RefusedError."""
        ledger.queries += 1
        ledger.status = None
        try:
            answer = (await self.association()).find(query)
            async for batch in answer:
                await sink(batch)
        except TransientPeerError as lost:
            self.drop()
            self.trouble = str(lost)
            return Outcome.INTERRUPTED
        ledger.status = answer.status
        if self._once:
            await self.hang_up()
        return outcome_of(answer.status)

    async def reaches(self) -> bool:
        """Whether the PACS accepts this association beside those that are open already."""
        try:
            await self.association()
        except TransientPeerError:
            return False
        return True

    async def hang_up(self) -> None:
        """Release the association, if there is one."""
        association, self._association = self._association, None
        if association is not None and not association.closed:
            await association.release()

    def drop(self) -> None:
        """Abort the association, whatever state it is in."""
        association, self._association = self._association, None
        if association is not None:
            association.abort()
