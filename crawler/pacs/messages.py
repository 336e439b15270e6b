"""DIMSE messages put together from PDVs (PS3.7 6.3.1): a command, then the dataset that it announces. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from crawler.errors import ProtocolError
from crawler.pacs.command import Command, parse_command
from crawler.pacs.framing import Pdv


@dataclass(frozen=True, slots=True)
class Message:
    """One complete DIMSE message; `dataset` is empty when the command announces none."""

    context_id: int
    command: Command
    dataset: bytes = b""


class Reassembler:
    """Joins PDVs to messages, however they were cut. Commands and datasets over `max_object` bytes are refused."""

    def __init__(self, max_object: int) -> None:
        self.max_object = max_object
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
        if len(self._parts) + len(pdv.data) > self.max_object:
            raise ProtocolError(f"the peer sent a message of more than {self.max_object} bytes")
        self._parts += pdv.data
        return self._finish_part() if pdv.is_last else None

    def _finish_part(self) -> Message | None:
        part, self._parts = bytes(self._parts), bytearray()
        if self._command is None:
            self._command = parse_command(part)
            if self._command.has_dataset:
                return None
            part = b""
        message = Message(self._context_id, self._command, part)
        self._command = None
        self.is_idle = True
        return message
