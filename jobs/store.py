"""The store that takes what is retrieved, and who may send to it. Touches: network, disk."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_network

from crawler.errors import UserError
from crawler.identity import TlsListen
from crawler.model import Limits
from crawler.pacs.acceptor import Rejection
from crawler.retrieve.expectation import Expectation, Sender
from crawler.retrieve.receiver import LARGEST_COMMAND, Receiver, Receiving, receive
from crawler.retrieve.storing import Report, Storing
from crawler.settings import LocalSettings, PacsSettings, Settings


@dataclass(frozen=True, slots=True)
class Store:
    """An open store."""

    storing: Storing
    port: int = 0
    """Where it listens; 0 where nothing needs that."""
    rejections: Counter[Rejection] = field(default_factory=Counter)
    """Who was turned away; it counts on while the store is open."""


@asynccontextmanager
async def opened_store(settings: Settings, names: Sequence[str], report: Report) -> AsyncIterator[Store]:
    """Own the store while the block runs, and listen where any of these PACS is asked for a C-MOVE.

    Raises UserError where it or the port is in use.
    """
    local = settings.local
    moving = {name: settings.pacs[name] for name in names if settings.pacs[name].retrieve_by == "move"}
    expected = Expectation(accept_unsolicited=local.accept_unsolicited)
    if not moving:
        async with Storing.opened(local.store_path, report, quota=local.quota) as storing:
            storing.expectation = expected
            yield Store(storing)
        return
    senders = [Sender.of(text) for text in local.allowed_senders]
    for pacs in moving.values():
        senders += await senders_of(pacs)
    tls = tls_of(local, moving)
    limits = limits_of(local)
    receiving = Receiving(
        local.store_path, local.ae_title, tuple(senders), quota=local.quota, port=local.port, tls=tls, limits=limits
    )
    async with listening(receiving, report) as receiver:
        receiver.expectation = expected
        yield Store(receiver, receiver.port, receiver.rejections)


@asynccontextmanager
async def listening(receiving: Receiving, report: Report, hint: str = "see [local] port") -> AsyncIterator[Receiver]:
    """Listen, as `receive` does. UserError where the store or the port is in use."""
    opening = receive(receiving, report)
    try:
        receiver = await opening.__aenter__()
    except OSError as error:
        raise UserError(f"port {receiving.port} cannot be listened on: {error.strerror}; {hint}") from error
    try:
        yield receiver
    finally:
        await opening.__aexit__(None, None, None)


def limits_of(local: LocalSettings) -> Limits:
    """Say how much a sender may send at a time."""
    return Limits(max_object=LARGEST_COMMAND, max_received=local.largest_object)


def tls_of(local: LocalSettings, moving: Mapping[str, PacsSettings]) -> TlsListen | None:
    """Say how objects come; None in the clear. UserError where a PACS is asked by TLS and would answer without."""
    tls = local.tls_listen("local")
    for name, pacs in moving.items():
        if pacs.tls and tls is None:
            raise UserError(
                f"{name} is asked by TLS, and would send its images in the clear: set tls_certificate and tls_key in "
                f"[local], or bring them by C-GET (pacs.{name}.retrieve_by = 'get', or `pacslake get`)"
            )
    return tls


async def senders_of(pacs: PacsSettings) -> list[Sender]:
    """Give who may send for a PACS: its AE title, from the addresses of its host."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(pacs.host, pacs.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UserError(f"the host {pacs.host} has no address: {error.strerror}") from error
    return [Sender(pacs.ae_title, ip_network(address)) for address in {place[0] for *_, place in found}]


def own_address(pacs: PacsSettings) -> str:
    """Give the address under which a PACS sees us; nothing is sent to find it out."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((pacs.host, pacs.port))
        return str(probe.getsockname()[0])
    return socket.gethostname()
