"""The rows that tell of received files. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeAlias

import pyarrow as pa

from crawler.retrieve.instance import NUMBERS, TEXTS, UIDS, Kept, length, lengths, number, texts

_KINDS: dict[Callable[[str], Any], pa.DataType] = {
    str: pa.string(),
    texts: pa.list_(pa.string()),
    number: pa.int64(),
    length: pa.float64(),
    lengths: pa.list_(pa.float64()),
}
"""What becomes of a text by what reads it."""

FILES = pa.schema(
    [
        *((name, pa.string()) for name in ("SOPInstanceUID", "SOPClassUID", *UIDS.values())),
        *((name, pa.string()) for name in ("path", "outcome", "transfer_syntax", "sha256", "source_ae")),
        ("size", pa.int64()),
        ("received_at", pa.timestamp("us")),
        *((name, _KINDS[read]) for name, read in TEXTS.values()),
        *((name, pa.int64()) for name in NUMBERS.values()),
    ]
)
"""`path` is relative to the store, `received_at` in UTC."""

Row: TypeAlias = tuple[object, ...]


def rows_of(kept: Sequence[Kept], received_at: datetime) -> pa.Table:
    """Give the rows of files."""
    return table_of([row_of(one, received_at) for one in kept])


def table_of(rows: Sequence[Row]) -> pa.Table:
    """Make a table of rows."""
    if not rows:
        return FILES.empty_table()
    columns = zip(*rows, strict=True)
    return pa.table([pa.array(column, kind.type) for column, kind in zip(columns, FILES, strict=True)], FILES)


def row_of(one: Kept, received_at: datetime) -> Row:
    """Give the values of a file in the order of `FILES`."""
    instance = one.instance
    return (
        instance.sop_instance,
        instance.sop_class,
        *(instance.text(tag) or None for tag in UIDS),
        one.path,
        one.outcome.value,
        instance.transfer_syntax,
        one.sha256,
        instance.source_ae,
        one.size,
        received_at,
        *instance.texts(),
        *instance.numbers(),
    )
