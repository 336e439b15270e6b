"""Where strangers knock: connections cost little until something comes on them, and nobody keeps others out.

One that is silent is a descriptor and nothing else. When too many are, the oldest goes of the address that has most of
them: whoever means it speaks within milliseconds. Of one address only so many are listened to in a second.
Touches: network, clock.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from crawler.pacs import framing

_SILENT = 256
"""Connections on which nothing has come yet; where one address opens 10,000 a second, each of its has 25 ms."""
_AT_A_TIME = 64
"""Connections taken at a time; then those that are open have their turn."""
_BACKLOG = 4096
"""Connections that the kernel keeps until they are taken. Where there is no room, callers try again after a second."""
_LOOKS = 10
"""How often they are looked at while their patience lasts."""
_REST = 0.5
"""Seconds to wait where no connection can be taken, for want of descriptors or memory."""
_AT_ONCE = struct.pack("ii", 1, 0)
"""Makes closing a TCP reset, after which the kernel keeps nothing."""

_HANDSHAKE = b"\x16"

SILENT, TOO_MANY = "nothing came", "too many connections"


class Manners(NamedTuple):
    """What is expected of those who call."""

    patience: float
    """Seconds that a connection may be silent."""
    most_per_second: int
    """Connections of one address that are listened to in a second."""


class Doorway:
    """Hands to `speaks` each connection on which something comes; `turned_away` is told of all others, and why."""

    def __init__(
        self,
        channel: socket.socket,
        manners: Manners,
        speaks: Callable[[socket.socket, str], None],
        turned_away: Callable[[str, str], None],
    ) -> None:
        self._channel = channel
        self._manners = manners
        self._speaks = speaks
        self._turned_away = turned_away
        self._loop = asyncio.get_running_loop()
        self._silent: dict[str, dict[socket.socket, float]] = {}
        """Those on which nothing has come, by address, the oldest first, and since when."""
        self._count = 0
        self._spoke: Counter[str] = Counter()
        self._second = 0
        channel.setblocking(False)
        channel.listen(_BACKLOG)
        self._open()
        self._looking = self._loop.call_later(manners.patience / _LOOKS, self._look)

    def close(self) -> None:
        """Take nobody any more, and let go of those who have said nothing."""
        self._looking.cancel()
        self._loop.remove_reader(self._channel)
        self._channel.close()
        for address, several in list(self._silent.items()):
            for one in list(several):
                self._take_out(one, address)
                one.close()

    def _open(self) -> None:
        if self._channel.fileno() >= 0:
            self._loop.add_reader(self._channel, self._take_in)

    def _take_in(self) -> None:
        for _ in range(_AT_A_TIME):
            try:
                one, place = self._channel.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError:
                self._loop.remove_reader(self._channel)
                self._loop.call_later(_REST, self._open)
                return
            one.setblocking(False)
            self._keep(one, str(place[0]))

    def _keep(self, one: socket.socket, address: str) -> None:
        self._silent.setdefault(address, {})[one] = self._loop.time()
        self._loop.add_reader(one.fileno(), self._came, one, address)  # a number: asyncio would spell out a socket
        self._count += 1
        if self._count > _SILENT:
            most = max(self._silent, key=lambda kind: len(self._silent[kind]))
            self._drop(next(iter(self._silent[most])), most, TOO_MANY)

    def _came(self, one: socket.socket, address: str) -> None:
        """Hand on a connection on which something came, or which was closed."""
        second = int(self._loop.time())
        if second != self._second:
            self._second = second
            self._spoke.clear()
        self._take_out(one, address)
        self._spoke[address] += 1
        if self._spoke[address] > self._manners.most_per_second:
            self._cut(one, address, TOO_MANY)
        else:
            self._speaks(one, address)

    def _look(self) -> None:
        """Let go of those who were silent for too long."""
        since = self._loop.time() - self._manners.patience
        for address, several in list(self._silent.items()):
            for one in [one for one, began in several.items() if began < since]:
                self._drop(one, address, SILENT)
        self._looking = self._loop.call_later(self._manners.patience / _LOOKS, self._look)

    def _drop(self, one: socket.socket, address: str, why: str) -> None:
        self._take_out(one, address)
        self._cut(one, address, why)

    def _cut(self, one: socket.socket, address: str, why: str) -> None:
        if why == TOO_MANY:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        one.close()
        self._turned_away(address, why)

    def _take_out(self, one: socket.socket, address: str) -> None:
        self._loop.remove_reader(one.fileno())
        del self._silent[address][one]
        self._count -= 1
        if not self._silent[address]:
            del self._silent[address]


def turned_back(channel: socket.socket) -> bool:
    """Whether TLS begins (RFC 8446 5.1) where none is spoken: that is answered as PS3.8 9.2 has it, and closed."""
    with suppress(OSError):
        if channel.recv(1, socket.MSG_PEEK) != _HANDSHAKE:
            return False
        with channel:
            channel.recv(1 << 16)  # else a reset would overtake the answer
            channel.send(framing.abort(source=2))
        return True
    return False
