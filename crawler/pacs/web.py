"""One HTTP connection to a DICOMweb server: bounded in time and size, and without a word of what was asked in errors.

Touches: network, disk (secrets and certificates are read).
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crawler import tls
from crawler.errors import ProtocolError, RefusedError, TransientPeerError, UserError
from crawler.model import Peer, WebAccess
from crawler.pacs.dicom_json import Dataset, read_datasets
from crawler.pacs.passwords import line_of
from crawler.pacs.qido import UNABLE, status_of

if TYPE_CHECKING:
    import httpx

LARGEST_PAGE = 64 << 20
"""Bytes of one page; that of a larger one is refused as too much."""
_BUSY = (408, 425, 429, 502, 503, 504)
"""Statuses that say: not now."""
_MORE = "additional results"
"""What `Warning: 299` says of an answer that is not whole (PS3.18 8.3.4.4)."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of an answer, or why there is none."""

    datasets: list[Dataset]
    more: bool = False
    """The server says that there is more."""
    status: int | None = None
    """The status of C-FIND that says why it is refused; None where it came."""


class WebClient:
    """Asks one server. Close it at the end."""

    def __init__(self, peer: Peer, web: WebAccess) -> None:
        """Read its secrets. RefusedError where a file of them cannot be read."""
        import httpx

        self._who = f"PACS {peer.name} ({web.url})"
        self._name = peer.name
        self._limits = peer.limits
        self._call = peer.tls
        limits = peer.limits
        self._http = httpx.AsyncClient(
            base_url=f"{web.url.rstrip('/')}/",
            headers={"Accept": "application/dicom+json", "Cache-Control": "no-cache", **_bearer(web)},
            auth=(web.username, line_of(web.secret)) if web.username and web.secret else None,
            verify=_tls(peer),
            timeout=httpx.Timeout(limits.idle_timeout, connect=limits.connect_timeout),
            limits=httpx.Limits(max_connections=1),
            follow_redirects=False,  # secrets go nowhere else
            trust_env=False,
        )

    async def close(self) -> None:
        """Hang up."""
        await self._http.aclose()

    async def page(self, path: str) -> Page:
        """Ask for one page. TransientPeerError where it may come another time, RefusedError where a person must act."""
        import httpx

        try:
            async with asyncio.timeout(self._limits.total_timeout), self._http.stream("GET", path) as response:
                self._judge(response)
                if not response.is_success:
                    return Page([], status=status_of(response.status_code))
                body = await _body(response)
        except (httpx.TransportError, httpx.DecodingError, TimeoutError, ssl.SSLError) as error:
            # httpx leaves what TLS 1.3 says after the handshake, of a client's certificate, as ssl says it.
            if self._call is not None and (objection := _objection(error)):
                raise RefusedError(f"{self._who} {tls.why_not_called(self._call, objection, by_web=True)}") from None
            raise TransientPeerError(f"{self._who}: {_said(error)}") from None
        if body is None:
            return Page([], status=status_of(413))
        try:
            datasets = read_datasets(body)
        except ProtocolError:  # it would be the same again; asking for less may leave out what breaks it
            return Page([], status=UNABLE)
        return Page(datasets, any(_MORE in warning for warning in response.headers.get_list("Warning")))

    def _judge(self, response: httpx.Response) -> None:
        """Raise where the answer is that of no search."""
        status, section = response.status_code, f"pacs.{self._name}"
        if status in _BUSY:
            raise TransientPeerError(f"{self._who} answers with HTTP {status} for now")
        if status in (401, 403):
            raise RefusedError(
                f"{self._who} answers with HTTP {status}: check {section}.username and password_file, or token_file"
            )
        if response.has_redirect_location or 300 <= status < 400:
            raise RefusedError(f"{self._who} is to be found elsewhere: set {section}.url to where it redirects")
        if status == 404 and response.url.path.count("/") == self._http.base_url.path.count("/"):
            raise RefusedError(f"{self._who} has no search: check {section}.url, which ends where /studies follows")
        kind = response.headers.get("Content-Type", "json")
        if response.is_success and status != 204 and "json" not in kind:
            raise RefusedError(f"{self._who} answers with no DICOM JSON: check {section}.url")


async def _body(response: httpx.Response) -> bytes | None:
    """Read it; None where it is too large."""
    pieces, size = [], 0
    async for piece in response.aiter_bytes():
        size += len(piece)
        if size > LARGEST_PAGE:
            return None
        pieces.append(piece)
    return b"".join(pieces)


def _said(error: Exception) -> str:
    """Say what went wrong, in words of ours: those of libraries may quote the address, and with it a key."""
    import httpx

    if isinstance(error, httpx.ConnectTimeout):
        return "does not take a connection in time; check that it runs, and its url"
    if isinstance(error, httpx.ConnectError):
        return "cannot be reached; check that it runs, and its url"
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return "did not answer in time"
    return f"the connection was lost ({type(error).__name__})"


def _objection(error: BaseException | None) -> ssl.SSLError | None:
    """Give why TLS failed, from below the errors that libraries wrap around that; None where it was just cut off."""
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return None if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError) else error


def _bearer(web: WebAccess) -> dict[str, str]:
    if web.secret is None or web.username is not None:
        return {}
    return {"Authorization": f"Bearer {line_of(web.secret)}"}


def _tls(peer: Peer) -> ssl.SSLContext | bool:
    try:
        return tls.calling(peer.tls) if peer.tls else False
    except UserError as wrong:
        raise RefusedError(str(wrong)) from None
