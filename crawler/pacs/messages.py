"""DIMSE messages put together from PDVs (PS3.7 6.3.1): a command, then the dataset that it announces.

A dataset is kept whole, or handed on fragment by fragment to a `Sink`, so that its size costs no memory. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from crawler.errors import ProtocolError
from crawler.pacs.command import Command, parse_command
from crawler.pacs.framing import Pdv


class Sink(Protocol):
    """Takes one dataset as it comes."""

    def write(self, fragment: bytes | memoryview) -> None:
        """Take the next bytes. What goes wrong is for the answer to say: this raises nothing."""

    def discard(self) -> None:
        """Forget the dataset, because the rest will not come."""


@dataclass(frozen=True, slots=True)
class Message:
    """One complete DIMSE message; `dataset` is empty when the command announces none, or a sink has taken it."""

    context_id: int
    command: Command
    dataset: bytes = b""
    sink: Sink | None = None


SinkFor = Callable[[int, Command], Sink | None]
"""Says of a presentation context's command where its dataset goes; None keeps it in memory."""


class Reassembler:
    """Joins PDVs to messages, however they were cut.

    What is kept and takes over `max_object` bytes is refused, and what goes to a sink and takes over `max_received`.
    """

    def __init__(self, max_object: int, sink_for: SinkFor | None = None, max_received: int = 0) -> None:
        self.max_object = max_object
        self.max_received = max_received
        self._sink_for = sink_for
        self._sink: Sink | None = None
        self._received = 0
        self._context_id = 0
        self._command: Command | None = None
        self._parts = bytearray()
        self.is_idle = True
        """Whether the next PDV begins a new message."""

    def add(self, pdv: Pdv) -> Message | None:
        """Add the next PDV and give the message that it completes. Raises ProtocolError."""
        if self.is_idle:
            self._context_id = pdv.context_id
            self.is_idle = False
        if pdv.context_id != self._context_id:
            raise ProtocolError("the peer mixed two presentation contexts in one message")
        if pdv.is_command is (self._command is not None):
            what = "a dataset before its command" if self._command is None else "a command before the dataset's end"
            raise ProtocolError(f"the peer sent {what}")
        if self._sink is not None:
            self._received += len(pdv.data)
            if self._received > self.max_received:
                raise ProtocolError(f"the peer sent an object of more than {self.max_received} bytes")
            self._sink.write(pdv.data)
        elif len(self._parts) + len(pdv.data) > self.max_object:
            raise ProtocolError(f"the peer sent a message of more than {self.max_object} bytes")
        else:
            self._parts += pdv.data
        return self._finish_part() if pdv.is_last else None

    def discard(self) -> None:
        """Give up the message that is not complete."""
        if self._sink is not None:
            self._sink.discard()
            self._sink = None

    def _finish_part(self) -> Message | None:
        part, self._parts = bytes(self._parts), bytearray()
        if self._command is None:
            self._command = parse_command(part)
            if self._command.has_dataset:
                self._received = 0
                self._sink = self._sink_for(self._context_id, self._command) if self._sink_for else None
                return None
            part = b""
        message = Message(self._context_id, self._command, part, self._sink)
        self._command = self._sink = None
        self.is_idle = True
        return message
