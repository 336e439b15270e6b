"""One C-FIND under way: batches of identifiers as they come, then the final status. Touches: network."""

from __future__ import annotations

from crawler.errors import PeerError, TransientPeerError
from crawler.model import Identifiers, Limits
from crawler.pacs import framing
from crawler.pacs.command import cancel_request
from crawler.pacs.negotiation import EXPLICIT_VR, Context
from crawler.pacs.responses import MAX_ROWS, FindResponses
from crawler.pacs.upper_layer import Connection

CANCEL_PATIENCE = 5.0
"""Seconds that a PACS has to answer a C-CANCEL; some ignore it and stop only when the association is aborted."""

_CANCELLED = 0xFE00


class FindStream:
    """An asynchronous iterator over the answer. Iterate to its end, or `cancel`, before the association's next request.

    Iterating raises TransientPeerError when no final response comes; batches given until then stand.
    """

    def __init__(
        self, connection: Connection, context: Context, message_id: int, limits: Limits, batch_rows: int = MAX_ROWS
    ) -> None:
        self.is_over = False
        """Whether the association is free for its next request, or gone."""
        self._connection = connection
        self._context_id = context.context_id
        self._explicit_vr = context.transfer_syntaxes == (EXPLICIT_VR,)
        self._message_id = message_id
        buffer = connection.buffer
        self._responses = FindResponses(buffer, context.context_id, message_id, limits.max_object, batch_rows)
        self._lost: PeerError | None = None
        self._is_late = False
        connection.set_deadline(limits.total_timeout, "a C-FIND", self._call_off)

    @property
    def status(self) -> int | None:
        """The final status, None when none has come."""
        return self._responses.final.status if self._responses.final else None

    @property
    def rows(self) -> int:
        """Identifiers received so far."""
        return self._responses.rows

    @property
    def optional_keys_unsupported(self) -> bool:
        """Whether a response said that it leaves optional keys out of account (0xFF01)."""
        return self._responses.optional_keys_unsupported

    @property
    def error_comment_present(self) -> bool:
        """Whether the final response carries a comment. Its text may hold a patient's value and is not given."""
        return bool(self._responses.final and self._responses.final.error_comment)

    def __aiter__(self) -> FindStream:
        return self

    async def __anext__(self) -> Identifiers:
        if self._lost is not None:
            raise self._lost
        if not self.is_over:
            await self._read()
        batch = self._responses.take_batch(explicit_vr=self._explicit_vr)
        if batch is not None:
            return batch
        if self._lost is not None:
            raise self._lost
        raise StopAsyncIteration

    async def cancel(self) -> bool:
        """Ask the PACS to stop, and skip what it still sends; abort when it does not stop within a few seconds.

        Gives whether the association can still be used.
        """
        if not self.is_over:
            self._send_cancel("a cancelled C-FIND")
        try:
            async for _ in self:
                pass
        except PeerError:
            return False
        return True

    def _send_cancel(self, what: str) -> None:
        encoded = cancel_request(self._message_id)
        self._connection.write(framing.frame_message(self._context_id, encoded, None))
        self._connection.set_deadline(CANCEL_PATIENCE, what)

    def _call_off(self) -> None:
        """Ask the PACS to stop, because all of its answer took too long."""
        self._is_late = True
        self._send_cancel("a C-FIND")

    async def _read(self) -> None:
        """Read until a batch is full or the answer ends; what came before a failure can still be taken."""
        responses = self._responses
        try:
            responses.read()
            while responses.final is None and not responses.is_batch_full:
                self._connection.watch_pdu()
                await self._connection.more()
                responses.read()
            if self._is_late and self.status == _CANCELLED:
                raise TransientPeerError(f"a C-FIND with {self._connection.label} took too long")
        except PeerError as error:
            self._lost = error
            self._connection.abort()
        self._connection.watch_no_pdu()
        if self._lost is not None or responses.final is not None:
            self.is_over = True
            self._connection.set_deadline(None)
