"""Receive into a folder until the standard input ends: what benchmarks/receive.py measures. Prints its port first.

Usage: pacslake_receive.py STORE
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pyarrow as pa

from crawler.model import AETitle
from crawler.retrieve.expectation import Expectation, Sender
from crawler.retrieve.receiver import Receiving, receive


async def main(store: Path) -> None:
    receiving = Receiving(store, AETitle("BENCH"), (Sender("STORESCU"),), host="127.0.0.1")
    pa.array([""])  # imports pandas where that is installed, which would take 0.3 s of the first group
    async with receive(receiving, lambda table: print(table.num_rows, flush=True)) as receiver:
        receiver.expectation = Expectation(accept_unsolicited=True)
        print(receiver.port, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
