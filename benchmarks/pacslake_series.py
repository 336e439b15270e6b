"""Ours beside pynetdicom_find.py: one SERIES query per study over one association. Prints `rows seconds` of the loop.

Usage: pacslake_series.py PORT AE_TITLE UIDS-FILE
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from crawler.decode.decode import decode
from crawler.model import AETitle, Level, Model, Peer
from crawler.pacs.association import Association
from crawler.pacs.identifier import Query


async def main(port: str, ae_title: str, uids: list[str]) -> None:
    peer = Peer("bench", "127.0.0.1", int(port), AETitle(ae_title), AETitle("BENCH"))
    association = await Association.open(peer, [Model.STUDY_ROOT])
    rows, began = 0, time.perf_counter()
    for uid in uids:
        async for batch in association.find(Query(Model.STUDY_ROOT, Level.SERIES, {"StudyInstanceUID": uid})):
            rows += decode(batch, Level.SERIES).num_rows
    print(rows, time.perf_counter() - began)
    await association.release()


asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]).read_text().split()))
