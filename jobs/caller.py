"""Ask a PACS over one association, opening another when it was closed, as its gate allows. Touches: network, clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from crawler.errors import TransientPeerError
from crawler.model import Identifiers, Model, Outcome, Peer
from crawler.pacs.association import Association
from crawler.pacs.find import FindStream
from crawler.pacs.identifier import Query
from crawler.pacs.profile import Profile
from crawler.pacs.sop_classes import FIND_CLASSES
from crawler.pacs.status import outcome_of
from jobs.gate import Gate
from jobs.ledger import Ledger

Sink = Callable[[Identifiers], Awaitable[None]]

_RELATIONAL = b"\1"
"""Extended negotiation (PS3.4 C.5.1.1)."""


@dataclass(frozen=True, slots=True)
class Besides:
    """What an association is opened for besides C-FIND: SOP classes, and objects that the PACS may send on it."""

    sop_classes: tuple[str, ...] = ()
    storage: tuple[tuple[str, tuple[str, ...]], ...] = ()


class Caller:
    """One association at a time to one PACS."""

    def __init__(self, peer: Peer, model: Model, gate: Gate, profile: Profile, besides: Besides | None = None) -> None:
        self._peer = peer
        self._once = profile.one_query_per_association
        self._extended = {FIND_CLASSES[model]: _RELATIONAL} if profile.relational else {}
        self._model = model
        self._besides = besides or Besides()
        self._gate = gate
        self._association: Association | None = None
        gate.cuts.append(self.drop)
        self.reached = False
        """Whether the PACS ever accepted an association."""
        self.trouble: str | None = None
        """Why the last query that was cut off was."""

    async def association(self) -> Association:
        """Give the open association, a new one where the PACS has closed it since."""
        if self._association is None or self._association.closed:
            self._association = await Association.open(
                self._peer,
                [self._model, *self._besides.sop_classes],
                extended=self._extended,
                storage=self._besides.storage,
            )
            self.reached = True
        return self._association

    async def ask(self, query: Query, ledger: Ledger, sink: Sink) -> Outcome:
        """Send one query, hand on each batch of its answer, and say how it ended. Raises RefusedError."""
        ledger.status = None
        try:
            association = await self.permitted()
        except TransientPeerError as lost:
            self.trouble = str(lost)
            return Outcome.INTERRUPTED
        if association is None:
            return Outcome.INTERRUPTED
        ledger.queries += 1
        answer = None
        try:
            answer = association.find(query)
            seconds = await _receive(answer, sink)
        except TransientPeerError as lost:
            self.drop()
            self.trouble = str(lost)
            self._gate.lost(began=answer is not None and answer.rows > 0)
            return Outcome.INTERRUPTED
        except BaseException:
            self._gate.let_go()
            raise
        ledger.status, outcome = answer.status, outcome_of(answer.status)
        self._gate.answered(query.level, answer.rows, seconds, refused=outcome is Outcome.TOO_MANY)
        if self._once:
            await self.hang_up()
        return outcome

    async def reaches(self) -> bool:
        """Whether the PACS accepts this association beside those that are open already."""
        if self._gate.standing.is_open:
            return False  # one is enough to find out whether the PACS is back
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

    async def permitted(self) -> Association | None:
        """Give an open association as soon as a request may be sent over it; None when that will not be.

        Raises RefusedError, TransientPeerError.
        """
        while True:
            if not await self._gate.ready(self.hang_up):
                return None
            try:
                association = await self.association()
            except TransientPeerError:
                self._gate.unreached()
                raise
            if self._gate.take():
                return association


@asynccontextmanager
async def together() -> AsyncIterator[asyncio.TaskGroup]:
    """Have callers work side by side; when one fails the others are cancelled, and its error is raised, not a group."""
    try:
        async with asyncio.TaskGroup() as workers:
            yield workers
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None


async def _receive(answer: FindStream, sink: Sink) -> float:
    """Hand on each batch, and give the seconds that the PACS took: without those that went by here."""
    ours, began = 0.0, time.perf_counter()
    async for batch in answer:
        received = time.perf_counter()
        await sink(batch)
        ours += time.perf_counter() - received
    return time.perf_counter() - began - ours
