"""Ask a PACS by DICOMweb, request by request as its gate allows. Touches: network, clock."""

from __future__ import annotations

import asyncio
import time

from crawler.errors import RefusedError, TransientPeerError
from crawler.model import Level, Model, Outcome, Peer, WebAccess
from crawler.pacs.dicom_json import encode_datasets
from crawler.pacs.identifier import Query
from crawler.pacs.profile import Profile
from crawler.pacs.qido import Pages
from crawler.pacs.status import outcome_of
from crawler.pacs.web import Page, WebClient
from jobs.caller import Caller, Sink
from jobs.gate import Gate
from jobs.ledger import Ledger
from jobs.omitting import Omitting, OmittingCaller


def caller_of(peer: Peer, model: Model, gate: Gate, profile: Profile, omitting: Omitting) -> Caller:
    """Give who asks this PACS, in the protocol that it speaks."""
    if peer.web:
        return WebCaller(peer, peer.web, gate, profile)
    return OmittingCaller(peer, model, gate, profile, omitting)


class WebCaller(Caller):
    """One request at a time to one PACS. Each page of an answer is a query to its gate and in the ledger."""

    def __init__(self, peer: Peer, web: WebAccess, gate: Gate, profile: Profile) -> None:
        super().__init__(peer, Model.STUDY_ROOT, gate, profile)
        self._client: WebClient | None = None
        self._asking: asyncio.Task[Page] | None = None
        self._web = web
        self._largest: dict[Level, int] = {}
        """Rows of the largest page of each level."""

    async def ask(self, query: Query, ledger: Ledger, sink: Sink) -> Outcome:
        """Ask one question, hand on each page of its answer, and say how it ended. Raises RefusedError."""
        ledger.status = None
        pages = Pages(query, self._web.page_rows, self._largest.get(query.level, 0))
        until = time.monotonic() + self._peer.limits.total_timeout
        while (path := pages.path) is not None:
            if time.monotonic() > until:
                self.trouble = f"PACS {self._peer.name} took longer for an answer than its total_timeout"
                return Outcome.INTERRUPTED
            if not await self._may_ask():
                return Outcome.INTERRUPTED
            ledger.queries += 1
            began = time.perf_counter()
            page = await self._page(path, began_before=pages.rows > 0)
            if page is None:
                return Outcome.INTERRUPTED
            refused = page.status is not None and outcome_of(page.status) is Outcome.TOO_MANY
            self._gate.answered(query.level, len(page.datasets), time.perf_counter() - began, refused=refused)
            if page.status is not None:
                pages.refused(page.status)
                continue
            if fresh := pages.take(page.datasets, more=page.more):
                await sink(encode_datasets(fresh))
        self._largest[query.level] = pages.largest
        ledger.status = pages.status
        return outcome_of(pages.status)

    async def reaches(self) -> bool:
        """Whether one more may ask: connections are made when there is a question."""
        return not self._gate.standing.is_open

    async def hang_up(self) -> None:
        """Close the connection, if there is one."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def drop(self) -> None:
        """Give up the request under way."""
        if self._asking is not None:
            self._asking.cancel()

    async def _may_ask(self) -> bool:
        while await self._gate.ready(self.hang_up):
            if self._gate.take():
                return True
        return False

    async def _page(self, path: str, *, began_before: bool) -> Page | None:
        """Ask for a page; None where it did not come, which the gate is told."""
        self._client = self._client or WebClient(self._peer, self._web)
        self._asking = asyncio.create_task(self._client.page(path))
        try:
            await asyncio.wait({self._asking})
            page = self._asking.result()
        except TransientPeerError as lost:
            self.trouble = str(lost)
            self._gate.lost(began=began_before)
            return None
        except RefusedError:
            self._gate.let_go()
            raise
        except asyncio.CancelledError:
            self._gate.let_go()
            if not self._asking.cancelled():  # not the request alone was given up, but whoever asked
                self._asking.cancel()
                raise
            return None
        self.reached = True
        return page
