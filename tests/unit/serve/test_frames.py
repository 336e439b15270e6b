"""Frames between the service and the processes that answer SQL."""

from __future__ import annotations

import asyncio
import io
from contextlib import suppress

import pytest

from crawler.serve.sql.frames import HEADER, LONGEST, Frame, FrameReader, framed, read_frame, told

FORGED = told(Frame.END, {"version": 1})


@pytest.mark.parametrize("cut", range(len(framed(Frame.DATA, FORGED)) + 1))
def test_a_frame_that_was_given_up_half_way_is_read_whole_whatever_is_in_it(cut: int) -> None:
    sent = framed(Frame.DATA, FORGED) + told(Frame.END, {"version": 2})

    async def read() -> list[tuple[Frame, bytes]]:
        stream = asyncio.StreamReader()
        reader, found = FrameReader(stream), []
        stream.feed_data(sent[:cut])
        for _ in range(2):
            with suppress(TimeoutError):
                async with asyncio.timeout(0):
                    found.append(await reader.read())
        stream.feed_data(sent[cut:])
        stream.feed_eof()
        with suppress(EOFError):
            while True:
                found.append(await reader.read())
        return found

    assert asyncio.run(read()) == [(Frame.DATA, FORGED), (Frame.END, b'{"version": 2}')]


@pytest.mark.parametrize("sent", [HEADER.pack(b"D", LONGEST + 1), HEADER.pack(b"Z", 0), b"E\xff\xff\xff\xff"])
def test_what_is_no_frame_is_not_waited_for(sent: bytes) -> None:
    async def read() -> None:
        stream = asyncio.StreamReader()
        stream.feed_data(sent)
        await FrameReader(stream).read()

    with pytest.raises(ConnectionError, match="no frame of ours"):
        asyncio.run(read())


def test_frames_are_read_until_the_other_end_is_gone() -> None:
    stream = io.BytesIO(told(Frame.ASK, {"sql": "SELECT 1"}) + framed(Frame.STOP) + framed(Frame.DATA, b"half")[:-1])
    assert read_frame(stream) == (Frame.ASK, b'{"sql": "SELECT 1"}')
    assert read_frame(stream) == (Frame.STOP, b"")
    assert read_frame(stream) is None
