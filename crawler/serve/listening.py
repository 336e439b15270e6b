"""The socket of the pages, TLS, and how long anybody may keep a connection busy. Touches: network, disk."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from crawler import tls
from crawler.errors import UserError
from crawler.identity import TlsListen
from crawler.settings import ServeSettings

MOST_CONNECTIONS = 200
"""At a time; of more each is closed at once. From half as many on, requests are answered with 503."""
LARGEST_HEAD = 32 * 1024


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that others have."""

    handshake: float = 10.0
    """Until TLS has begun."""
    request: float = 20.0
    """Until a whole request is there."""
    stalled: float = 60.0
    """Without a byte of an answer being taken."""


def listen(address: tuple[str, int]) -> socket.socket:
    """Take an address. UserError where it cannot be had."""
    host, port = address
    try:
        return socket.create_server(address, family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except socket.gaierror as error:
        said = error.strerror
    except OSError as error:
        said = os.strerror(error.errno) if error.errno else str(error)
    raise UserError(f"serve.listen: {host}:{port} cannot be had: {said}; choose another port or address")


class Certificate:
    """Who we are, by TLS 1.2 or 1.3. UserError where the files are not what they should be."""

    def __init__(self, listen: TlsListen) -> None:
        self._listen = listen
        self.context = tls.listening(listen)

    def renew(self) -> None:
        """Read the files again, for connections from now on. UserError, and all stays as it was."""
        tls.listening(self._listen)
        identity = self._listen.identity
        self.context.load_cert_chain(identity.certificate.path, identity.key.path)


def certificate_of(settings: ServeSettings) -> Certificate | None:
    """Give what the settings name; None for plain HTTP."""
    listen = settings.tls_listen
    return Certificate(listen) if listen else None


class Server(uvicorn.Server):
    """Serves on a socket that listens until `should_exit`; signals are the service's business."""

    def __init__(self, app: ASGIApp, certificate: Certificate | None, patience: Patience | None = None) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=ImpatientProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # else everybody on this machine could say to be at any address
                limit_concurrency=MOST_CONNECTIONS // 2,
                h11_max_incomplete_event_size=LARGEST_HEAD,
            )
        )
        self._certificate = certificate
        self._patience = patience or Patience()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen. Unlike uvicorn's own this gives up on those who never end their handshake."""
        loop = asyncio.get_running_loop()
        context = self._certificate.context if self._certificate else None

        def protocol() -> ImpatientProtocol:
            return ImpatientProtocol(self.config, self.server_state, {}, patience=self._patience)

        self.servers = [
            await loop.create_server(
                protocol, sock=one, ssl=context, ssl_handshake_timeout=self._patience.handshake if context else None
            )
            for one in sockets or []
        ]
        self.started = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


class ImpatientProtocol(H11Protocol):
    """Cuts those off who send a request, or take an answer, slower than anybody would."""

    def __init__(self, *given: Any, patience: Patience) -> None:
        super().__init__(*given)
        self._patience = patience
        self._late: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Wait for a request."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
            return
        self._late = self.loop.call_later(self._patience.request, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Take some of a request; the time for it runs until all of it is there."""
        super().data_received(data)
        cycle = cast("RequestResponseCycle | None", self.cycle)  # None before the first request
        is_whole = cycle is not None and not cycle.more_body and not cycle.response_complete
        if is_whole and self._late:
            self._late.cancel()
            self._late = None
        elif not is_whole and self._late is None:
            self._late = self.loop.call_later(self._patience.request, self.transport.abort)

    def pause_writing(self) -> None:
        """Wait for the other side to take what was sent."""
        super().pause_writing()
        self._stalled = self.loop.call_later(self._patience.stalled, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        if self._stalled:
            self._stalled.cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        for timer in (self._late, self._stalled):
            if timer:
                timer.cancel()
