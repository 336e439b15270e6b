"""Connections to others, by TLS where the settings say so, and in words for a person where there is none.

Touches: network, disk (certificates are read).
"""

from __future__ import annotations

import asyncio
import socket
import ssl

from crawler import tls
from crawler.certificates import shown
from crawler.errors import RefusedError, TransientPeerError, UserError
from crawler.model import Peer
from crawler.pacs import framing
from crawler.pacs.framing import PduBuffer
from crawler.pacs.upper_layer import Connection

_NEXT_ADDRESS_AFTER = 0.25
"""Seconds that one of several addresses has before the next is tried beside it (RFC 8305)."""


def who(peer: Peer) -> str:
    """Name a peer, and where it is."""
    return f"PACS {peer.name} ({peer.host}:{peer.port})" if peer.is_configured else f"PACS {peer.name}"


async def call(peer: Peer) -> Connection:
    """Connect, by TLS where that is set. RefusedError where a person must act, TransientPeerError."""
    loop, limits = asyncio.get_running_loop(), peer.limits
    buffer = PduBuffer(limits.max_pdu, framing.BEFORE_ANSWER)

    def make() -> Connection:
        return Connection(who(peer), buffer, limits.idle_timeout)

    try:
        context = tls.calling(peer.tls) if peer.tls else None
    except UserError as wrong:
        raise RefusedError(str(wrong)) from None
    host = peer.tls.host if peer.tls else None
    try:
        async with asyncio.timeout(limits.connect_timeout):
            place, delay = (peer.host, peer.port), _NEXT_ADDRESS_AFTER
            _, connection = await loop.create_connection(
                make, *place, ssl=context, server_hostname=host, happy_eyeballs_delay=delay
            )
    except TimeoutError as error:
        raise TransientPeerError(f"{who(peer)} did not answer within {limits.connect_timeout:g} s") from error
    except socket.gaierror as error:
        kind = TransientPeerError if error.errno == socket.EAI_AGAIN else RefusedError
        hint = f"check {peer.setting('host')} and the name service"
        raise kind(f"the host name of PACS {peer.name}, {peer.host}, cannot be resolved: {hint}") from error
    except ConnectionRefusedError as error:
        check = f"check that it runs, and {peer.setting('host and port')}"
        raise TransientPeerError(f"nothing listens at {who(peer)}: {check}") from error
    except ssl.SSLError as error:
        assert peer.tls is not None
        raise RefusedError(f"{who(peer)} {tls.why_not_called(peer.tls, error)}") from error
    except OSError as error:
        if peer.tls is not None and isinstance(error, ConnectionResetError):
            raise TransientPeerError(f"{who(peer)} {tls.why_not_called(peer.tls, error)}") from error
        raise TransientPeerError(f"{who(peer)} cannot be reached: {error.strerror or error}") from error
    certificate = shown(connection.get_extra_info("ssl_object"))
    if peer.tls is not None and (objection := tls.objection(peer.tls, certificate)):
        connection.reset()
        raise RefusedError(f"{who(peer)} {objection}")
    return connection
