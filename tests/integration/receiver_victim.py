"""Receives objects and is killed while it does: run as a script by test_receiver_crash.py, as lake_victim.py is.

What was reported stands in the file `reported`, a JSON line each.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pyarrow as pa

from crawler.model import AETitle
from crawler.retrieve.expectation import Sender
from crawler.retrieve.receiver import Receiving, receive
from jobs.wiring import begin
from tests.integration import lake_victim
from tests.integration.sending import EVERYTHING, encoded, scu

OBJECTS = {f"1.2.3.{number}": encoded(f"1.2.3.{number}", 200_000 * (number % 2)) for number in range(8)}


def send(port: int) -> None:
    """Send all, one of them twice, and one whose bytes changed."""
    with scu(port) as sender:
        for uid, data in OBJECTS.items():
            assert sender.store(uid, data) == 0
    with scu(port) as sender:
        assert sender.store("1.2.3.1", OBJECTS["1.2.3.1"]) == 0
        assert sender.store("1.2.3.2", encoded("1.2.3.2", SeriesDescription="changed")) == 0


def work(folder: Path) -> None:
    """Receive once what is sent."""
    folder.mkdir(exist_ok=True)
    asyncio.run(_receive(folder))


async def _receive(folder: Path) -> None:
    record = os.open(folder / "reported", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def report(table: pa.Table) -> None:
        for row in table.select(["SOPInstanceUID", "path", "sha256", "size"]).to_pylist():
            os.write(record, json.dumps(row).encode() + b"\n")

    receiving = Receiving(folder / "store", AETitle("PACSLAKE"), (Sender("SCU"),), host="127.0.0.1")
    async with receive(receiving, report) as receiver:
        receiver.expectation = EVERYTHING
        await asyncio.to_thread(send, receiver.port)


if __name__ == "__main__":
    begin()
    lake_victim.main(Path(sys.argv[1]), sys.argv[2:], work)
