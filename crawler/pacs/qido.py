"""QIDO-RS (PS3.18 10.6): a query as the path of a search, and the pages in which its answer comes.

A page proves nothing by being short: servers cap pages, ignore `offset`, and sort anew for each request. So each page
begins with the last row of the one before it, and the answer is whole when that row comes alone. Only an answer that is
shorter than a page that came before is whole at once: a server that gave so many rows does not cap at fewer. What the
pages do not prove ends with a status that makes the sweep ask for less, as a C-FIND that was refused for its size does.
Pure.
"""

from __future__ import annotations

from urllib.parse import quote, urlencode

from crawler.columns import CATALOGUE
from crawler.model import HIERARCHY, Level
from crawler.pacs.dicom_json import Dataset, first_value
from crawler.pacs.identifier import Query

SUCCESS, TOO_MANY, UNABLE = 0x0000, 0xA700, 0xC000
"""Final statuses of C-FIND (PS3.4 C.4.1.1.4) that say the same of a search."""

_RESOURCES = {Level.STUDY: "studies", Level.SERIES: "series", Level.IMAGE: "instances"}
_ABOVE = {Level.STUDY: (), Level.SERIES: (Level.STUDY,), Level.IMAGE: (Level.STUDY, Level.SERIES)}
_STATUSES = {413: TOO_MANY, 400: UNABLE, 404: UNABLE, 414: UNABLE, 500: UNABLE}
"""400 is what Orthanc says when one dataset of the answer cannot become JSON: asking for less finds the others."""
_CHARSET = 0x00080005
"""Never asked for: JSON is UTF-8, and Orthanc 1.10 fails on studies with several."""
_UNIQUE = {level: next(key.tag for key in CATALOGUE[level] if key.keyword == level.unique_key) for level in HIERARCHY}


def status_of(http: int) -> int:
    """Give the status of C-FIND that says what a status of HTTP, no success, says."""
    return _STATUSES.get(http, 0x0110)


def search_path(query: Query) -> str:
    """Give the path and the keys of a search, below the address of the service and without its page."""
    keys = dict(query.matching)
    path = ""
    for level in _ABOVE[query.level]:
        uid = keys.get(level.unique_key, "")
        if not uid or "\\" in uid or "*" in uid:  # what is below several is searched for beside the hierarchy
            break
        path += f"{_RESOURCES[level]}/{quote(uid, safe='')}/"
        del keys[level.unique_key]
    lists = {level.unique_key for level in _RESOURCES}
    asked = [(name, value.replace("\\", ",") if name in lists else value) for name, value in keys.items() if value]
    tops = sorted({key.top for key in query.attributes or CATALOGUE[query.level]} - {_CHARSET})
    asked.append(("includefield", ",".join(f"{tag:08X}" for tag in tops)))
    return f"{path}{_RESOURCES[query.level]}?{urlencode(asked, safe=',*', quote_via=quote)}"


class Pages:
    """The pages of one answer: `path` is the next to ask for, None when the answer is over and has its `status`."""

    def __init__(self, query: Query, limit: int, largest: int = 0) -> None:
        """Ask for so many rows at once; `largest` is how many the server once gave in a page of this level."""
        self.status: int | None = None
        self.rows = 0
        """Datasets taken so far."""
        self.largest = largest
        self._search = search_path(query)
        self._limit = limit
        self._unique = _UNIQUE[query.level]
        self._page: list[str] = []
        """Which datasets the last page had, by their unique keys."""

    @property
    def path(self) -> str | None:
        """The path of the next page."""
        if self.status is not None:
            return None
        return f"{self._search}&limit={self._limit}&offset={self.rows - self._again}"

    @property
    def _again(self) -> int:
        """How many rows of the last page are asked for again. Of a single one nothing would be learned by that."""
        return 1 if self.rows > 1 else 0

    def refused(self, status: int) -> None:
        """End the answer: the server did not give this page."""
        self.status = status

    def take(self, page: list[Dataset], *, more: bool) -> list[Dataset]:
        """Give what is new of a page; `more` is whether the server says that there is more (Warning 299)."""
        named = [first_value(dataset, self._unique) for dataset in page]
        again = self._again
        begins_right = not again or named[:1] == self._page[-1:]
        seen_before = set(named[again:]) & set(self._page) - {""}  # all was sorted anew: some may never be seen
        if seen_before or not begins_right:
            self.status = self._not_followed(named, more)
            return []
        fresh = page[again:]
        if not fresh or (not self.rows and len(page) < self.largest and not more):
            self.status = self._ended(more)
        elif not any(named[again:]):  # without a unique key nothing shows whether pages follow each other
            self.status = UNABLE
        self.largest = max(self.largest, len(page))
        self.rows += len(fresh)
        self._page = named
        return fresh

    def _ended(self, more: bool) -> int:
        """Judge an answer that ended. Where pages have one row at most, the last one alone does not say so."""
        if self._again and self.largest < 2:
            return UNABLE
        return TOO_MANY if more else SUCCESS

    def _not_followed(self, named: list[str], more: bool) -> int:
        """Judge a page that does not follow the one before: the answer so far is all there will be of it.

        A server that ignores `offset` sent everything if it ignores `limit` too, or had less: then this is an answer as
        any C-FIND's, whose size the sweep judges.
        """
        if named != self._page or self.rows != len(named):
            return UNABLE
        return TOO_MANY if more or len(named) == self._limit else SUCCESS
