"""Receives into a folder until standard input ends; run as a script. Prints its port first, and logs.

Usage: python -m tests.faults.store_listener STORE LARGEST
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from crawler import log
from crawler.model import AETitle, Limits
from crawler.retrieve.expectation import Sender
from crawler.retrieve.receiver import Receiving, receive
from tests.integration.sending import EVERYTHING


async def main(store: Path, largest: int) -> None:
    """Receive."""
    log.configure(human=False)
    limits = Limits(max_object=64 * 1024, max_received=largest)
    receiving = Receiving(store, AETitle("PACSLAKE"), (Sender.of("SCU@127.0.0.1"),), host="127.0.0.1", limits=limits)
    async with receive(receiving, lambda _: None) as receiver:
        receiver.expectation = EVERYTHING
        print(receiver.port, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
