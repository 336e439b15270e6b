"""What comes on an established association, made messages of at the moment of its reception. Touches: network.

Nobody is woken until something is complete, so a dataset of many PDUs goes to its sink without a switch of tasks, and
straight out of the receive buffer. Once its owner has something to do, what comes stays in that buffer.
"""

from __future__ import annotations

from collections.abc import Callable

from crawler.errors import PeerError, ProtocolError
from crawler.pacs import framing
from crawler.pacs.framing import Pdu, PduType
from crawler.pacs.messages import Message, Reassembler
from crawler.pacs.upper_layer import Connection


class Inbox:
    """Hands on each message, and each PDU that is no P-DATA-TF, until its owner is `ready` to look at them.

    `on_message` and `on_pdu` may raise PeerError, which `wait` then does.
    """

    def __init__(
        self,
        connection: Connection,
        reassembler: Reassembler,
        ready: Callable[[], bool],
        on_message: Callable[[Message], None],
        on_pdu: Callable[[Pdu], None],
    ) -> None:
        self._connection = connection
        self._reassembler = reassembler
        self._ready = ready
        self._on_message = on_message
        self._on_pdu = on_pdu
        self._error: PeerError | None = None
        connection.on_bytes = self._pump

    async def wait(self) -> None:
        """Wait until its owner is ready. Raises PeerError when it never will be."""
        while not self._pump():
            self._connection.watch_pdu()
            await self._connection.more()
        if not self._ready() and self._error is not None:
            raise self._error

    def digest(self) -> bool:
        """Take the next PDU if it is there whole; give whether it was."""
        if self._error is not None:
            return False
        try:
            pdu = self._connection.take()
            if pdu is None:
                return False
            if pdu.type is PduType.P_DATA:
                for pdv in framing.split_pdvs(pdu.body):
                    if (message := self._reassembler.add(pdv)) is not None:
                        self._on_message(message)
            else:
                self._on_pdu(pdu)
        except PeerError as error:
            self._error = error
            if isinstance(error, ProtocolError):
                self._connection.refuse(str(error))
        return True

    def close(self) -> None:
        """Leave to others what comes from now on, and give up the message that is not complete."""
        self._connection.on_bytes = None
        self._reassembler.discard()

    def _pump(self) -> bool:
        while not self._ready():
            if not self.digest():
                return self._error is not None
        return True
