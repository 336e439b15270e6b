"""One C-MOVE or C-GET under way, alike for whoever drives it. Touches: network.

Both are a request, responses that count sub-operations, and a final one. What they count is told as it was said and
means little: some PACS answer success and send nothing, or count what never arrived.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from crawler.errors import ProtocolError
from crawler.pacs.command import FAILED_INSTANCES, UNCOUNTED, Counters
from crawler.pacs.exchange import Exchange
from crawler.pacs.messages import Message
from crawler.retrieve.header import first_elements
from crawler.retrieve.status import Moved

OnProgress = Callable[[Counters], None]
"""Is told what each pending response counts."""


Serve = Callable[[Message], Awaitable[tuple[int, str]]]
"""Takes a request of the PACS, a C-STORE in a C-GET, and gives the status and comment to answer."""


class Retrieval:
    """A request that was sent. `run` it to its end before the association's next one."""

    def __init__(self, exchange: Exchange, serve: Serve | None = None) -> None:
        self.progress = UNCOUNTED
        """What the newest response counts."""
        self._exchange = exchange
        self._serve = serve

    async def run(self, on_progress: OnProgress = lambda counters: None) -> Moved:
        """Wait for the final response and give it, whatever its status.

        Raises TransientPeerError when none comes in time, or at all; the association is then gone, as it is when the
        task is cancelled. What has arrived stays.
        """
        try:
            while True:
                message = await self._exchange.next_message()
                if self._exchange.is_answer(message):
                    self.progress = message.command.counters
                    if not message.command.is_pending:
                        return self._moved(message)
                    on_progress(self.progress)
                elif self._serve is not None and not message.command.is_response:
                    status, comment = await self._serve(message)
                    self._exchange.respond(message, status, comment=comment)
        except BaseException:
            self._exchange.abort()
            raise

    def feed(self) -> None:
        """Begin the idle deadline anew: tell it of each object that arrives on another association."""
        self._exchange.feed()

    def cancel(self) -> None:
        """Ask the PACS to stop; `run` then ends within a few seconds, by a response or by an abort."""
        self._exchange.cancel()

    def _moved(self, message: Message) -> Moved:
        status, counted = message.command.status, message.command.counters
        if status is None:
            raise ProtocolError("the PACS ended a retrieval without a status")
        (transfer_syntax,) = self._exchange.context.transfer_syntaxes
        elements = first_elements(message.dataset, transfer_syntax, frozenset((FAILED_INSTANCES,)))
        listed = elements.get(FAILED_INSTANCES, message.command.failed_instances)
        failed = tuple(uid for text in listed.decode("ascii", "replace").split("\\") if (uid := text.strip("\0 ")))
        return Moved(status, counted.completed, counted.failed, counted.warning, counted.remaining, failed)
