"""How a simulated PACS breaks off in the midst of an answer. Touches: network."""

from __future__ import annotations

import asyncio
from typing import assert_never

from crawler.pacs.acceptor import AcceptedAssociation
from crawler.testing.quirks import Failure

_RESET_DELAY = 0.1
"""Seconds for what was sent before a reset to arrive, because a reset discards what was not yet read."""
_HANG = 3600.0


async def break_off(assoc: AcceptedAssociation, failure: Failure) -> None:
    """End an association in this way, or let it hang until the peer does."""
    await assoc.drain()
    match failure:
        case Failure.ABORT:
            assoc.abort()
        case Failure.RESET:
            await asyncio.sleep(_RESET_DELAY)
            assoc.reset()
        case Failure.HANG:
            await assoc.wait_closed(_HANG)
        case never:
            assert_never(never)
