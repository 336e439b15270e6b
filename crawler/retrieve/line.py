"""What a store and the process that listens for it tell each other: a JSON array a packet, its first item the kind.

A packet arrives whole or not at all, and those of a process that was killed still do. Touches: a socket.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from crawler.identity import NamedFile, TlsIdentity, TlsListen
from crawler.model import Limits
from crawler.retrieve.expectation import Sender
from crawler.retrieve.incoming import Arrived
from crawler.retrieve.instance import WANTED, Instance

SETTINGS, READY, EXPECT, KEPT, DONE, TROUBLE, OVER = "settings", "ready", "expect", "kept", "done", "trouble", "over"
REFUSED, REJECTED, SPENT, CLOSED, UNEXPECTED = "refused", "rejected", "spent", "closed", "unexpected"

LARGEST = 1 << 19
"""Bytes of a packet: a head of 64 KB, of which each may be written as six, and some names."""
_MOST, _MANY = 5000, 100
"""Packets that are read in one go, more than can be under way; that may wait to be sent."""
_UIDS = 1000
"""In one packet."""
_TAGS = tuple(sorted(WANTED))
_encoded = json.JSONEncoder(check_circular=False, separators=(",", ":")).encode


class Line:
    """One end of it. Nothing here ever waits."""

    def __init__(self, channel: socket.socket) -> None:
        channel.setblocking(False)
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LARGEST)
        self.channel = channel
        self._buffer = memoryview(bytearray(LARGEST))
        self._unsent: deque[bytes] = deque()

    @property
    def is_behind(self) -> bool:
        """Whether more waits to be sent than should."""
        return len(self._unsent) > _MANY

    @staticmethod
    def first(channel: socket.socket) -> list[Any]:
        """Wait for the first packet."""
        return list(json.loads(channel.recv(LARGEST)))

    def send(self, *packet: Any) -> bool:
        """Send a packet if it can go now, and give whether it did."""
        if self._unsent:
            return False
        with suppress(OSError):
            self.channel.send(_encoded(packet).encode())
            return True
        return False

    def post(self, *packet: Any) -> None:
        """Send a packet as soon as it can go, after those before it. For use in an event loop."""
        self._unsent.append(_encoded(packet).encode())
        if len(self._unsent) == 1:
            self._flush()

    def received(self) -> Iterator[list[Any] | None]:
        """Give the packets that are there; None at the end. ValueError for what is none."""
        for _ in range(_MOST):
            try:
                size = self.channel.recv_into(self._buffer)
            except BlockingIOError:
                return
            except OSError:
                size = 0
            if not size:
                yield None
                return
            packet = json.loads(bytes(self._buffer[:size]))
            if not isinstance(packet, list) or not packet:
                raise ValueError("no packet")
            yield packet

    def close(self) -> None:
        """Close it."""
        if self._unsent:
            asyncio.get_running_loop().remove_writer(self.channel)
            self._unsent.clear()
        self.channel.close()

    def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        while self._unsent:
            try:
                self.channel.send(self._unsent[0])
            except BlockingIOError:
                loop.add_writer(self.channel, self._flush)
                return
            except OSError:  # nobody listens any more
                self._unsent.clear()
                break
            self._unsent.popleft()
        loop.remove_writer(self.channel)


def of_uids(uids: Iterable[str]) -> Iterator[list[str]]:
    """Part UIDs into lists that go into one packet each."""
    several = list(uids)
    return (several[at : at + _UIDS] for at in range(0, len(several), _UIDS))


def arrived_in_words(arrived: Arrived) -> list[Any]:
    """Give what is said of an object that has arrived."""
    one = arrived.instance
    found = map(one.head.get, _TAGS)
    head = [value if value is None else value.decode("latin-1") for value in found]
    names = [one.sop_class, one.sop_instance, one.transfer_syntax, one.source_ae]
    return [arrived.name, arrived.size, arrived.sha256, names, head]


def arrived_of(name: str, size: int, digest: str, names: list[str], head: list[str | None]) -> Arrived:
    """Read that. ValueError, TypeError, AttributeError."""
    sop_class, sop_instance, transfer_syntax, source_ae = map(str, names)
    values = {tag: value.encode("latin-1") for tag, value in zip(_TAGS, head, strict=True) if value is not None}
    return Arrived(Instance(sop_class, sop_instance, transfer_syntax, source_ae, values), name, int(size), str(digest))


def senders_in_words(senders: Iterable[Sender]) -> list[list[str | None]]:
    """Give who may send."""
    return [[one.ae_title, str(one.network) if one.network else None] for one in senders]


def senders_of(said: Iterable[Any]) -> list[Sender]:
    """Read that."""
    return [Sender(ae_title, ip_network(network) if network else None) for ae_title, network in said]


def tls_in_words(tls: TlsListen | None) -> list[list[str]] | None:
    """Give by which files callers are answered."""
    return [[str(file.path), file.setting] for file in files_of(tls)] if tls else None


def tls_of(said: list[list[str]] | None) -> TlsListen | None:
    """Read that."""
    if said is None:
        return None
    certificate, key, *clients = [NamedFile(Path(path), setting) for path, setting in said]
    return TlsListen(TlsIdentity(certificate, key), *clients)


def files_of(tls: TlsListen) -> list[NamedFile]:
    """Give the files, the certificate first, then its key."""
    return [tls.identity.certificate, tls.identity.key, *([tls.clients] if tls.clients else [])]


def limits_in_words(limits: Limits) -> dict[str, float]:
    """Give the limits of a sender."""
    return asdict(limits)
