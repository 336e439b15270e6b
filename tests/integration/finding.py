"""A lake that answers C-FIND in a thread of this process, and pynetdicom to ask it. Touches: network, disk, threads."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation

from crawler import columns
from crawler.lake.writer import LakeWriter
from crawler.model import Level, Model
from crawler.pacs.acceptor import Acceptor
from crawler.pacs.sop_classes import FIND_MODELS
from crawler.pacs.storage import Place
from crawler.serve.audit import Audit
from crawler.serve.find.answering import LakeAnswers
from crawler.serve.find.scp import Allowances, FindScp
from crawler.testing.archive import Archive

Files = tuple[Path, Mapping[str, tuple[str, int]]]
"""Where files are, and to whom they may be sent."""
SOP_CLASSES = {model: uid for uid, model in FIND_MODELS.items()}


def lake_of(folder: Path, tables: Mapping[str, Mapping[Level, pa.Table]]) -> Path:
    """Write a lake with the rows of some PACS, by its name and their level."""
    with LakeWriter.open(folder / "lake") as writer:
        for pacs, levels in tables.items():
            for level, table in levels.items():
                writer.stage(level, pacs, "s1", decoded(level, table))
        writer.commit()
    return folder / "lake"


def decoded(level: Level, table: pa.Table) -> pa.Table:
    """Give rows as if they had been decoded: with all columns, null where there is nothing."""
    schema = columns.schema(level)
    has = set(table.schema.names)
    return pa.table(
        [table[field.name] if field.name in has else pa.nulls(len(table), field.type) for field in schema],
        schema=schema,
    )


def archived(archive: Archive) -> dict[Level, pa.Table]:
    """Give the rows of an archive."""
    return {level: archive.table(level) for level in (Level.STUDY, Level.SERIES, Level.IMAGE)}


@contextmanager
def answering(
    lake: Path, titles: Mapping[str, str], *, allowances: Allowances | None = None, files: Files | None = None
) -> Iterator[int]:
    """Let a lake answer as PACSLAKE; give its port."""
    ready, loop, stop = threading.Event(), asyncio.new_event_loop(), asyncio.Event()
    ports: list[int] = []

    async def run() -> None:
        answers = LakeAnswers(lake, titles)
        scp = FindScp(lambda: answers, Audit(lake), allowances or Allowances())
        if files is not None:
            scp.store, scp.destinations = files[0], {name: Place(*at) for name, at in files[1].items()}
            scp.offer(answers.kinds())
        async with Acceptor(scp.service("PACSLAKE", None, 10), scp.answer) as acceptor:
            await acceptor.listen("127.0.0.1", 0)
            ports.append(acceptor.port)
            ready.set()
            await stop.wait()
        scp.close()
        answers.close()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()), daemon=True)
    thread.start()
    ready.wait(60)
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a query."""

    status: int
    comment: str
    pending: frozenset[int]
    """The status of each response before the last."""
    rows: list[Dataset]


@contextmanager
def calling(
    port: int, *, flags: bytes = b"", called: str = "PACSLAKE", calling_ae: str = "ASKER"
) -> Iterator[Association]:
    """Open an association for all models, with extended negotiation flags."""
    ae = AE(ae_title=calling_ae)
    items: list[Any] = []
    for uid in FIND_MODELS:
        ae.add_requested_context(uid)
        item = SOPClassExtendedNegotiation()
        item.sop_class_uid, item.service_class_application_information = uid, flags
        items += [item] if flags else []
    assoc = ae.associate("127.0.0.1", port, ae_title=called, ext_neg=items)
    assert assoc.is_established, "the association was not accepted"
    try:
        yield assoc
    finally:
        assoc.release()


def find(assoc: Association, model: Model, identifier: Dataset) -> Told:
    """Ask a query and wait for all of the answer."""
    time.sleep(0.02)  # pynetdicom's reactor, just woken by the end of another query, takes an answer that comes at once
    rows, pending = [], set()
    for status, row in assoc.send_c_find(identifier, SOP_CLASSES[model]):
        if status.Status in (0xFF00, 0xFF01):
            assert row is not None, "an answer cannot be read"
            pending.add(status.Status)
            rows.append(row)
    return Told(status.Status, status.get("ErrorComment", ""), frozenset(pending), rows)


def identifier(level: Level, **keys: object) -> Dataset:
    """Make an identifier of keys by keyword."""
    dataset = Dataset()
    if level is not Level.WORKLIST:
        dataset.QueryRetrieveLevel = level.query_retrieve_level
    for keyword, value in keys.items():
        tag = tag_for_keyword(keyword) or 0
        dataset.add(DataElement(tag, dictionary_VR(tag), value, validation_mode=IGNORE))  # keys may be wrong
    return dataset
