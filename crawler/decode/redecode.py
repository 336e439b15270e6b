"""Read text again in another character set, out of the bytes that rows keep in `raw`, without asking the PACS.

What comes out equals what decoding the answer would have given with this default character set, so that a sweep that
asks again, with the same `default_charset`, finds nothing changed. Values inside sequences are left as they are: `raw`
does not say which item they were in. Pure.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from crawler.columns import CATALOGUE, Attribute
from crawler.decode.charset import MISSPELT_CHARSET, NOT_IN_CHARSET, UNKNOWN_CHARSET
from crawler.decode.decode import decode
from crawler.decode.text import CHARSET_VRS
from crawler.model import Identifiers, Level

PROBLEMS = (NOT_IN_CHARSET, UNKNOWN_CHARSET, MISSPELT_CHARSET)
"""The faults of text in a character set other than its own."""

_OF_THE_DATASET = re.compile("unreadable|truncated|repeated|out of order|(a sequence|another VR) instead of .*")
_Row = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Redecoded:
    """The rows that differ in the other character set, and how many of them still have text that is not in it."""

    rows: pa.Table
    malformed: int


def redecode(rows: pa.Table, level: Level, charset: str, added: tuple[Attribute, ...] = ()) -> Redecoded:
    """Read the text of decoded rows again; the columns are those of `crawler.columns.schema(level, added)`."""
    keys = [key for key in (*CATALOGUE[level], *added) if key.vr in CHARSET_VRS and not key.path]
    faults, texts = rows["faults"].to_pylist(), _texts(rows, keys)
    plain = tuple(replace(key, creator="") for key in added if not key.path)
    fresh = decode(Identifiers.of([_encoded(row) for row in texts]), level, default_charset=charset, added=plain)
    order = {key.label: place for place, key in enumerate((*CATALOGUE[level], *added))}
    merged = [
        _merged(old, new, text, order)
        for old, new, text in zip(faults, fresh["faults"].to_pylist(), texts, strict=True)
    ]
    again = rows.set_column(
        rows.schema.get_field_index("faults"), rows.schema.field("faults"), pa.array(merged, fresh["faults"].type)
    )
    changed = [old != new for old, new in zip(faults, merged, strict=True)]
    for key in keys:
        mine = [key.label in row for row in texts]
        for name in key.columns if any(mine) else ():
            values = pc.if_else(pa.array(mine), fresh[name].combine_chunks(), rows[name].combine_chunks())
            pairs = zip(rows[name].to_pylist(), values.to_pylist(), strict=True)
            changed = [before or old != new for before, (old, new) in zip(changed, pairs, strict=True)]
            again = again.set_column(again.schema.get_field_index(name), again.schema.field(name), values)
    wrong = sum(any(fault["reason"] in PROBLEMS for fault in row) for row in merged)
    return Redecoded(again.filter(pa.array(changed, pa.bool_())), wrong)


def _texts(rows: pa.Table, keys: list[Attribute]) -> list[dict[str, bytes]]:
    """Give the kept bytes of each row's text by tag. Where the column is null they are not of a value."""
    filled = {key.label: rows[key.keyword].is_valid().to_pylist() for key in keys}
    return [
        {kept["tag"]: kept["value"] for kept in raw if kept["tag"] in filled and filled[kept["tag"]][row]}
        for row, raw in enumerate(rows["raw"].to_pylist())
    ]


def _encoded(texts: dict[str, bytes]) -> bytes:
    elements = ((int(label, 16), value) for label, value in sorted(texts.items()))
    return b"".join(struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value)) + value for tag, value in elements)


def _merged(old: _Row, new: _Row, texts: dict[str, bytes], order: dict[str, int]) -> _Row:
    """Put new faults of the text in the place of the old ones, in the order in which decoding finds them."""
    of_dataset = [fault for fault in old if _OF_THE_DATASET.fullmatch(fault["reason"])]
    kept = [fault for fault in old if fault not in of_dataset and fault["tag"] not in texts]
    return of_dataset + sorted([*kept, *new], key=lambda fault: order.get(fault["tag"], len(order)))
