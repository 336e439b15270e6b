"""Examine a PACS that is asked by DICOMweb: is there a search, are pages heeded, do days narrow it.

Touches: network, disk (its secret is read).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

from crawler.dicom import da
from crawler.errors import PeerError
from crawler.model import Model, Peer, WebAccess, Window
from crawler.pacs.check.examine import Plan, Section
from crawler.pacs.check.verdict import Verdict, note, ok, problem
from crawler.pacs.dicom_json import Dataset, first_value
from crawler.pacs.identifier import Query
from crawler.pacs.qido import search_path
from crawler.pacs.web import Page, WebClient
from crawler.words import many

_DATE, _UID = 0x00080020, 0x0020000D
_LOOKED_AT = 3
_DAYS, _MANY = 30, 100


class WebExamination:
    """As `Examination`, with less to look at: what needs many questions comes out while it is crawled."""

    def __init__(self, peer: Peer, web: WebAccess, plan: Plan) -> None:
        self.reached = False
        self.queries = 0
        self._peer = peer
        self._web = web
        self._permit = plan.permit
        self._last = plan.day or plan.today
        self._first = self._last - timedelta(0 if plan.day else _DAYS)
        self._client: WebClient | None = None

    @property
    def sections(self) -> tuple[tuple[str, Section], ...]:
        """Title and checks of each part of the report."""
        return (("Connection", self._connection), ("Searches", self._searches))

    async def close(self) -> None:
        """Hang up."""
        if self._client is not None:
            await self._client.close()

    async def _connection(self) -> AsyncIterator[Verdict]:
        try:
            self._client = WebClient(self._peer, self._web)
            page = await self._page(1)
        except PeerError as error:
            yield problem("search", str(error), f"see [pacs.{self._peer.name}] in the settings")
            return
        self.reached = True
        private = "by TLS" if self._web.url.startswith("https:") else "in the clear"
        yield ok("search", f"{self._web.url} answers searches for studies, {private}")
        if page.status is not None:
            yield problem("days", "a search by days is refused", "look at the log of the server")

    async def _searches(self) -> AsyncIterator[Verdict]:
        try:
            async for verdict in self._pages():
                yield verdict
            async for verdict in self._days():
                yield verdict
        except PeerError as error:
            yield problem("searches", str(error), "run the check again; look at the log of the server")
        yield note("not looked at", "matching of further keys, and what comes back; sweeps find caps by themselves")

    async def _pages(self) -> AsyncIterator[Verdict]:
        first, second = await self._page(_LOOKED_AT), await self._page(_LOOKED_AT, offset=1)
        one, two = _uids(first.datasets), _uids(second.datasets)
        if len(one) < _LOOKED_AT:
            yield note("pages", "there are too few studies to see whether limit and offset are heeded")
        elif len(one) > _LOOKED_AT:
            yield note("pages", "limit is not heeded: answers come whole, or as the server caps them")
        elif two[: _LOOKED_AT - 1] == one[1:]:
            yield ok("pages", "limit and offset are heeded: long answers come in pages")
        else:
            yield note("pages", "offset is not heeded, or each answer is sorted anew: long ones are split by days")

    async def _days(self) -> AsyncIterator[Verdict]:
        page = await self._page(_MANY)
        dates = {first_value(dataset, _DATE) for dataset in page.datasets} - {""}
        low, high = map(da, (self._first, self._last))
        if not page.datasets:
            yield note("days", f"no study from {low} to {high}; name a day that has some by --day")
        elif all(low <= day <= high for day in dates):
            yield ok("days", f"StudyDate narrows the answer: {many(len(page.datasets), 'study')} from {low} to {high}")
        else:
            yield problem("days", "studies of other days come too", "without days the PACS cannot be crawled in parts")

    async def _page(self, rows: int, offset: int = 0) -> Page:
        """Ask for a page of the days that are looked at. Raises PeerError."""
        assert self._client is not None
        path = search_path(Query.of_window(Model.STUDY_ROOT, Window(self._first, self._last)))
        async with self._permit():
            self.queries += 1
            return await self._client.page(f"{path}&limit={rows}&offset={offset}")


def _uids(datasets: list[Dataset]) -> list[str]:
    return [first_value(dataset, _UID) for dataset in datasets]
