"""One request under way whose answer is made of messages, as that of a C-MOVE or a C-GET. Touches: network.

A PACS may be silent for long while it fetches what is asked for, so these requests have deadlines of their own; and in
a C-GET it sends requests itself, whose datasets go to a sink.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from crawler.errors import PeerError, TransientPeerError
from crawler.model import Limits
from crawler.pacs import framing
from crawler.pacs.command import cancel_request, response
from crawler.pacs.find import CANCEL_PATIENCE
from crawler.pacs.framing import Pdu
from crawler.pacs.identifier import Element
from crawler.pacs.inbox import Inbox
from crawler.pacs.messages import Message, Reassembler, SinkFor
from crawler.pacs.negotiation import Context
from crawler.pacs.upper_layer import Connection


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a PACS."""

    name: str
    """What people know it by, `Study Root C-MOVE` say."""
    sop_class: str
    command: Callable[[int], bytes]
    """Encodes the command, given its message id."""
    identifier: Sequence[Element]
    limits: Limits
    """How long it may take in all, and how long without a byte from the PACS or a `feed`."""
    sink_for: SinkFor | None = None
    """Says where the datasets of the PACS's own requests go."""


class Exchange:
    """The messages that come. Take them up to the final response before the association's next request, or `abort`."""

    def __init__(
        self, connection: Connection, context: Context, message_id: int, max_pdu: int, request: Request
    ) -> None:
        self.context = context
        """The presentation context of the request and of the responses to it."""
        self.is_over = False
        """Whether the association is free for its next request, or gone."""
        self._connection = connection
        self._name = request.name
        self._message_id = message_id
        self._max_pdu = max_pdu
        self._messages: deque[Message] = deque()
        reassembler = Reassembler(request.limits.max_object, request.sink_for, request.limits.max_received)
        self._inbox = Inbox(connection, reassembler, lambda: bool(self._messages), self._messages.append, self._give_up)
        self._usual_timeout = connection.idle_timeout
        connection.idle_timeout = request.limits.idle_timeout
        connection.set_deadline(request.limits.total_timeout, f"a {request.name}")

    async def next_message(self) -> Message:
        """Wait for the next response, or request of the PACS. Raises TransientPeerError when none comes."""
        try:
            await self._inbox.wait()
        except PeerError:
            self.abort()
            raise
        message = self._messages.popleft()
        if self.is_answer(message) and not message.command.is_pending:
            self._end()
        return message

    def is_answer(self, message: Message) -> bool:
        """Whether a message answers the request."""
        return message.command.responding_to == self._message_id

    def respond(self, request: Message, status: int, *, comment: str = "") -> None:
        """Answer a request of the PACS."""
        encoded = response(request.command, status, comment=comment)
        self._connection.write(framing.frame_message(request.context_id, encoded, None, self._max_pdu))

    def feed(self) -> None:
        """Begin the idle deadline anew: what is awaited of the PACS goes on elsewhere."""
        self._connection.feed()

    def cancel(self) -> None:
        """Ask the PACS to stop; it has a few seconds to give its final response."""
        if not self.is_over:
            encoded = cancel_request(self._message_id)
            self._connection.write(framing.frame_message(self.context.context_id, encoded, None))
            self._connection.set_deadline(CANCEL_PATIENCE, f"a cancelled {self._name}")

    def abort(self) -> None:
        """End the association at once, and forget what has not been taken."""
        for message in self._messages:
            if message.sink is not None:
                message.sink.discard()
        self._connection.abort()
        self._end()

    def _give_up(self, _: Pdu) -> None:
        raise TransientPeerError(f"{self._connection.label} ended the association instead of answering")

    def _end(self) -> None:
        self.is_over = True
        self._inbox.close()
        self._connection.idle_timeout = self._usual_timeout
        self._connection.set_deadline(None)
