"""How the service and the processes that answer SQL talk: frames over pipes, of a kind, a length and bytes. Pure.

The service never trusts what it reads: text is JSON, rows are an Arrow stream that it checks, nothing is unpickled.
"""

from __future__ import annotations

import json
import struct
from enum import Enum
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    import asyncio

HEADER = struct.Struct(">cI")
LONGEST = 1 << 20
"""Bytes of a frame; longer ones are cut into several by whoever sends."""


class Frame(bytes, Enum):
    """What a frame is."""

    BEGIN = b"B"
    """To the process, once: what it reads, and within which limits."""
    ASK = b"?"
    STOP = b"!"
    """To the process: what was asked is not wanted any more."""
    READY = b"R"
    """From the process: it has begun, or has taken a question."""
    DATA = b"D"
    END = b"E"
    """From the process: the answer is whole, and what is to be said of it."""
    FAILED = b"X"
    """From the process: why there is no answer, as a word and a sentence."""


_LETTERS = frozenset(frame.value for frame in Frame)


def framed(frame: Frame, payload: bytes = b"") -> bytes:
    """Give the bytes of one frame."""
    return HEADER.pack(frame.value, len(payload)) + payload


def told(frame: Frame, content: Any) -> bytes:
    """Give the bytes of a frame that holds JSON."""
    return framed(frame, json.dumps(content).encode())


def read_frame(stream: BinaryIO) -> tuple[Frame, bytes] | None:
    """Read the next frame; None when the other end is gone."""
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    kind, length = HEADER.unpack(header)
    payload = stream.read(length)
    return (Frame(kind), payload) if len(payload) == length else None


class FrameReader:
    """Reads frames of a process that is not trusted: each whole, also where the wait for it was given up half-way."""

    def __init__(self, stream: asyncio.StreamReader) -> None:
        self._stream = stream
        self._header: tuple[bytes, int] | None = None

    async def read(self) -> tuple[Frame, bytes]:
        """Read the next frame. EOFError at the end, ConnectionError for what is no frame."""
        if self._header is None:
            self._header = HEADER.unpack(await self._stream.readexactly(HEADER.size))
        letter, length = self._header
        if length > LONGEST or letter not in _LETTERS:
            raise ConnectionError("no frame of ours")
        payload = await self._stream.readexactly(length)
        self._header = None
        return Frame(letter), payload
