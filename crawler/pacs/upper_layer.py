"""One TCP connection that carries PDUs, for requestors and acceptors alike.

asyncio receives straight into the `PduBuffer`; reading pauses when it is full, so memory stays bounded when its user
lags. Small exchanges would wait 40 ms for a delayed acknowledgement in each direction, hence TCP_NODELAY and
TCP_QUICKACK. One lazy timer per connection watches every deadline, because arming one per wait costs more than
parsing what comes. Touches: network, clock.
"""

from __future__ import annotations

import asyncio
import math
import socket
import ssl
import struct
from collections.abc import Callable
from typing import cast

from crawler.errors import ProtocolError, TransientPeerError
from crawler.pacs import framing
from crawler.pacs.framing import Pdu, PduBuffer

_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
_LINGER = 5.0
"""Seconds that a closing connection has to hand over its last bytes."""


class Connection(asyncio.BufferedProtocol):
    """Bytes in and out of one socket. `label` says in errors who the peer is."""

    def __init__(self, label: str, buffer: PduBuffer, idle_timeout: float) -> None:
        self.label = label
        self.buffer = buffer
        self.idle_timeout = idle_timeout
        self.failure: TransientPeerError | None = None
        """Why nothing more can be received."""
        self.is_late = False
        """Whether that is because a deadline passed."""
        self.tls_failure: ssl.SSLError | None = None
        """What the peer objected to when TLS had begun, as it does to certificates in TLS 1.3."""
        self.on_bytes: Callable[[], bool] | None = None
        """Looks at what was received at once; says whether to wake who waits for it."""
        self._loop = asyncio.get_running_loop()
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._has_written = False
        self._writing_paused = False
        self._reading_paused = False
        self._active_at = 0.0
        self._deadline = math.inf
        self._deadline_what = ""
        self._instead: Callable[[], None] | None = None
        self._pdu_deadline = math.inf
        self._pdu_begins = 0
        self._timer: asyncio.TimerHandle | None = None
        self._closer: asyncio.TimerHandle | None = None

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport and set the socket's options."""
        self._transport = cast(asyncio.Transport, transport)
        self._socket: socket.socket = transport.get_extra_info("socket")
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._transport.set_write_buffer_limits(high=1024 * 1024, low=256 * 1024)
        self._active_at = self._loop.time()
        self._arm()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Give asyncio the place to receive into."""
        return self.buffer.room()

    def buffer_updated(self, nbytes: int) -> None:
        """Count what was received, and wake who waits for it."""
        self.buffer.filled(nbytes)
        self._active_at = self._loop.time()
        self._has_written = False
        is_news = self.on_bytes is None or self.on_bytes()
        if _QUICKACK is not None and not self._has_written:
            # The kernel leaves quick-ack mode by itself, so it is asked for after every read (tcp(7)) but those that
            # were answered at once: the answer acknowledges them.
            self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        if not len(self.buffer.room()):
            self._reading_paused = True
            self._transport.pause_reading()
        if is_news:
            self._wake_reader()
        else:
            self.watch_pdu()

    def eof_received(self) -> bool:
        """Remember that the peer closed; what it sent before may still be read."""
        self._fail(f"{self.label} closed the connection")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Remember why the connection is gone, and wake everybody."""
        self.tls_failure = exc if isinstance(exc, ssl.SSLError) else None
        why = getattr(exc, "strerror", None) or exc
        self._fail(f"the connection to {self.label} was lost" + (f": {why}" if why else ""))
        for timer in (self._timer, self._closer):
            if timer is not None:
                timer.cancel()
        self._wake_writer()
        if not self._closed.done():
            self._closed.set_result(None)

    def pause_writing(self) -> None:
        """Make `drain` wait."""
        self._writing_paused = True

    def resume_writing(self) -> None:
        """Let `drain` go on."""
        self._writing_paused = False
        self._wake_writer()

    # What the rest of this room calls.

    def get_extra_info(self, name: str) -> object:
        """Give what asyncio knows of the transport, `peername` say."""
        return self._transport.get_extra_info(name)

    @property
    def address(self) -> str:
        """The IP address of the peer."""
        return str(self._transport.get_extra_info("peername", ("",))[0])

    @property
    def is_closing(self) -> bool:
        """Whether nothing more can be sent."""
        return self._transport.is_closing()

    @property
    def lags(self) -> bool:
        """Whether the peer takes less than is sent to it: `drain` would wait."""
        return self._writing_paused

    def set_deadline(self, seconds: float | None, what: str = "", instead: Callable[[], None] | None = None) -> None:
        """Cut the connection so many seconds from now, saying that `what` took too long; None never does.

        `instead` is called in its place: it says a last word, and sets the deadline that cuts.
        """
        self._deadline = math.inf if seconds is None else self._loop.time() + seconds
        self._deadline_what, self._instead = what, instead
        self._arm()

    def feed(self) -> None:
        """Begin the idle timeout anew, though nothing was received."""
        self._active_at = self._loop.time()

    async def more(self) -> None:
        """Wait until further bytes are in the buffer. Raises TransientPeerError when none can come."""
        if self._reading_paused:
            self._reading_paused = False
            self._transport.resume_reading()
        if self.failure is not None:
            raise self.failure
        self._reader = self._loop.create_future()
        self._active_at = self._loop.time()
        try:
            await self._reader
        finally:
            self._reader = None

    async def next_pdu(self) -> Pdu:
        """Wait for the next PDU. It must be whole within the idle timeout after its first byte. Raises PeerError."""
        while (pdu := self.take()) is None:
            self.watch_pdu()
            await self.more()
        return pdu

    def watch_pdu(self) -> None:
        """Begin the deadline of a PDU that has come in part; `take` and `watch_no_pdu` end it."""
        begins = self.buffer.taken
        if len(self.buffer) and (self._pdu_deadline == math.inf or begins != self._pdu_begins):
            self._pdu_deadline, self._pdu_begins = self._loop.time() + self.idle_timeout, begins
            self._arm()

    def watch_no_pdu(self) -> None:
        """End the deadline of the PDU that has come in part, because its reader has other things to do."""
        self._pdu_deadline = math.inf

    def take(self) -> Pdu | None:
        """Take the next PDU if it is there already; a malformed one ends the connection with ProtocolError."""
        try:
            pdu = self.buffer.take()
        except ProtocolError as error:
            self.refuse(str(error))
            raise
        if pdu is not None:
            self._pdu_deadline = math.inf
        return pdu

    def write(self, data: bytes) -> None:
        """Send bytes; `drain` after large ones."""
        if not self._transport.is_closing():
            self._has_written = True
            self._transport.write(data)

    async def drain(self) -> None:
        """Wait while too much waits to be sent. Raises TransientPeerError when it never will be."""
        if self._transport.is_closing():
            raise self.failure or TransientPeerError(f"the connection to {self.label} is closed")
        if not self._writing_paused:
            return
        self._writer = self._loop.create_future()
        self._active_at = self._loop.time()
        try:
            await self._writer
        finally:
            self._writer = None
        if self._transport.is_closing():
            raise self.failure or TransientPeerError(f"the connection to {self.label} is closed")

    def refuse(self, why: str) -> None:
        """Abort as service provider, because of what the peer sent."""
        self._fail(why)
        self.write(framing.abort(source=2))
        self.close()

    def abort(self) -> None:
        """Send A-ABORT and close."""
        self._fail(f"the association with {self.label} was aborted by us")
        self.write(framing.abort())
        self.close()

    def hang_up(self) -> None:
        """Close after an orderly end."""
        self._fail(f"the association with {self.label} is over")
        self.close()

    def reset(self) -> None:
        """Cut the connection by a TCP reset, without a word."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def close(self) -> None:
        """Send what waits to be sent, for a few seconds at most, and close."""
        if not self._transport.is_closing():
            self._closer = self._loop.call_later(_LINGER, self._transport.abort)
            self._transport.close()

    async def wait_closed(self, seconds: float = _LINGER) -> None:
        """Wait until the socket is closed by either side; after so many `seconds` close it."""
        await asyncio.wait([self._closed], timeout=seconds)
        if not self._closed.done():
            self._transport.abort()

    def _arm(self) -> None:
        due = self._due()
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._check)

    def _due(self) -> float:
        return min(self._active_at + self.idle_timeout, self._deadline, self._pdu_deadline)

    def _check(self) -> None:
        """Cut the connection when a deadline passed while somebody waited; else look again when the next one is due."""
        now = self._loop.time()
        self._timer = None
        if self._reader is None and self._writer is None:
            self._active_at = max(self._active_at, now)
        if now < self._due():
            self._arm()
            return
        if now >= self._deadline and self._instead is not None:
            self._instead()
            return
        self.is_late = self.failure is None
        if now >= self._deadline:
            self._fail(f"{self._deadline_what} with {self.label} took too long")
        elif now >= self._pdu_deadline:
            self._fail(f"{self.label} took longer than {self.idle_timeout:g} s to send one PDU")
        else:
            self._fail(f"{self.label} was silent for {self.idle_timeout:g} s")
        self.write(framing.abort())
        self._transport.abort()

    def _fail(self, why: str) -> None:
        if self.failure is None:
            self.failure = TransientPeerError(why)
        self._wake_reader()

    def _wake_reader(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _wake_writer(self) -> None:
        if self._writer is not None and not self._writer.done():
            self._writer.set_result(None)
