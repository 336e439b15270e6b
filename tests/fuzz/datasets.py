"""What PACS send as datasets: identifiers, DICOM JSON, objects for the store. Any bytes are rows, or are refused."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from functools import cache

import pyarrow as pa

from crawler.asking.tree import encode_tree, read_tree
from crawler.columns import CATALOGUE
from crawler.decode.decode import decode
from crawler.errors import ProtocolError, UserError
from crawler.model import Identifiers, Model
from crawler.pacs.command import Command, parse_command
from crawler.pacs.dicom_json import encode_datasets, read_datasets
from crawler.pacs.identifier import Query
from crawler.pacs.messages import Message
from crawler.pacs.negotiation import EXPLICIT_VR, IMPLICIT_VR, Context
from crawler.pacs.qido import Pages
from crawler.retrieve.expectation import Expectation
from crawler.retrieve.layout import Layout, by_hash, by_series, is_uid
from crawler.retrieve.storing import Storing
from tests.fuzz.places import folder

LEVELS = tuple(CATALOGUE)
CT = "1.2.840.10008.5.1.4.1.1.2"
CHARSETS = ("", "ISO_IR 100", "ISO_IR 192", "\\ISO 2022 IR 87")
SYNTAXES = (EXPLICIT_VR, IMPLICIT_VR, "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.90")
_PLACE = re.compile(r"[0-9a-f]{2}/[0-9a-f]{32}\.dcm|([0-9.]{1,64}|other)/([0-9.]{1,64}|other)/[0-9.]{1,64}\.dcm")


def identifiers(data: bytes) -> None:
    """Any identifier is a valid row, the same whatever stands beside it, and one that can be shown."""
    head, dataset = data[0], data[1:]
    level, explicit_vr, charset = LEVELS[head % len(LEVELS)], bool(head & 8), CHARSETS[head >> 4 & 3]
    whole = Identifiers.of([dataset, dataset[: len(dataset) // 2], dataset], explicit_vr=explicit_vr)
    table = decode(whole, level, default_charset=charset)
    table.validate(full=True)
    first, _, last = rows(table)
    [alone] = rows(decode(Identifiers.of([dataset], explicit_vr=explicit_vr), level, default_charset=charset))
    assert first == last == alone
    tree = read_tree(dataset, explicit_vr=explicit_vr)
    if tree is not None:
        with suppress(UserError):
            encoded = encode_tree(tree, explicit_vr=explicit_vr)
            assert read_tree(encoded, explicit_vr=explicit_vr) is not None


def rows(table: pa.Table) -> list[str]:
    """Give rows as they print, since NaN differs from itself."""
    return [repr(row) for row in table.to_pylist()]


def dicom_json(data: bytes) -> None:
    """Any body is datasets, a valid row for each, or no DICOM JSON; and the pages of an answer come to an end."""
    level = LEVELS[1 + data[0] % 3]
    try:
        datasets = read_datasets(data[1:])
    except ProtocolError:
        return
    table = decode(encode_datasets(datasets), level)
    table.validate(full=True)
    assert table.num_rows == len(datasets)
    pages = Pages(Query(Model.STUDY_ROOT, level), 100)
    for _ in range(3):
        if pages.path is not None:
            pages.take(datasets, more=bool(data[0] & 4))
    assert pages.status is not None


def objects(data: bytes) -> None:
    """Any C-STORE is refused, or is a file in its place; nothing else is ever in the store."""
    syntax, step = SYNTAXES[data[0] % len(SYNTAXES)], (data[1] or 1) * 16
    at = 3 + data[2]
    try:
        command = parse_command(data[3:at])
    except ProtocolError:
        return
    layout = by_series if data[0] & 0x80 else by_hash
    context = Context(1, command.sop_class if is_uid(command.sop_class) else CT, (syntax,))
    dataset = data[at:]
    fragments = [dataset[start : start + step] for start in range(0, len(dataset), step)]
    told = _loop().run(stored(layout, context, command, fragments))
    places = [path for row in told for path in row["path"].to_pylist()]
    assert found() == places
    for place in places:
        assert _PLACE.fullmatch(place), place
        (folder("store") / place).unlink()


@cache
def _loop() -> asyncio.Runner:
    return asyncio.Runner()


async def stored(layout: Layout, context: Context, command: Command, fragments: list[bytes]) -> list[pa.Table]:
    """Let an object come, and give what the store tells of it."""
    told: list[pa.Table] = []
    async with Storing.opened(folder("store"), told.append, layout) as storing:
        storing.expectation = Expectation(accept_unsolicited=True)
        incoming = storing.begin(context, command, "PEER")
        if incoming is not None:
            for fragment in fragments:
                incoming.write(fragment)
        await storing.serve(Message(1, command, sink=incoming))
    for rows in told:
        rows.validate(full=True)
    return told


def found() -> list[str]:
    """Give the files in a store, all of them."""
    store = folder("store")
    return [str(path.relative_to(store)) for path in store.rglob("*") if path.is_file()]
