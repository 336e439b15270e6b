"""Read text again in another character set, out of the bytes that rows keep in `raw`, without asking the PACS.

What comes out equals what decoding the answer would have given with this default character set, so that a sweep that
asks again, with the same `default_charset`, finds nothing changed. `raw` does not say which item of a sequence a value
was in, but has those of a row in their order: they are its values that are not ASCII. Where their number is another, as
after an escape sequence that changed nothing, the row is left as it is, and so are sequences kept whole. Pure.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
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
_ITEM = 0xFFFEE000
_Row = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Redecoded:
    """The rows that differ in the other character set, and how many of them still have text that is not in it."""

    rows: pa.Table
    malformed: int


@dataclass(frozen=True, slots=True)
class _Reading:
    """Some attributes read again together: the bytes of each row's values by label, and what came of them."""

    keys: Sequence[Attribute]
    texts: Sequence[Mapping[str, object]]
    fresh: pa.Table


def redecode(rows: pa.Table, level: Level, charset: str, added: tuple[Attribute, ...] = ()) -> Redecoded:
    """Read the text of decoded rows again; the columns are those of `crawler.columns.schema(level, added)`."""
    readings = list(_readings(rows, level, charset, added))
    order = {key.label: place for place, key in enumerate((*CATALOGUE[level], *added))}
    faults = merged = rows["faults"].to_pylist()
    for one in readings:
        again_found = one.fresh["faults"].to_pylist()
        merged = [_merged(*row, order) for row in zip(merged, again_found, one.texts, strict=True)]
    again = rows.set_column(
        rows.schema.get_field_index("faults"), rows.schema.field("faults"), pa.array(merged, rows["faults"].type)
    )
    changed = [old != new for old, new in zip(faults, merged, strict=True)]
    read_again = [(key, reading) for reading in readings for key in reading.keys]
    for key, reading in read_again:
        mine = [key.label in row for row in reading.texts]
        for name in key.columns if any(mine) else ():
            values = pc.if_else(pa.array(mine), reading.fresh[name].combine_chunks(), rows[name].combine_chunks())
            pairs = zip(rows[name].to_pylist(), values.to_pylist(), strict=True)
            changed = [before or old != new for before, (old, new) in zip(changed, pairs, strict=True)]
            again = again.set_column(again.schema.get_field_index(name), again.schema.field(name), values)
    wrong = sum(any(fault["reason"] in PROBLEMS for fault in row) for row in merged)
    return Redecoded(again.filter(pa.array(changed, pa.bool_())), wrong)


def _readings(rows: pa.Table, level: Level, charset: str, added: tuple[Attribute, ...]) -> Iterator[_Reading]:
    """Read attributes outside sequences together, and each one inside by itself, as sequences are made for it alone."""
    keys = [key for key in (*CATALOGUE[level], *added) if key.vr in CHARSET_VRS]
    outside = [key for key in keys if not key.path]
    plain = tuple(replace(key, creator="") for key in added)
    texts = _texts(rows, outside)
    datasets = Identifiers.of([_encoded(row) for row in texts])
    yield _Reading(outside, texts, decode(datasets, level, default_charset=charset, added=plain))
    for key in (key for key in keys if key.path):
        inside = _texts_inside(rows, key)
        if any(inside):
            datasets = Identifiers.of([_in_items(key, row[key.label]) if row else b"" for row in inside])
            yield _Reading([key], inside, decode(datasets, level, default_charset=charset, added=plain))


def _texts_inside(rows: pa.Table, key: Attribute) -> list[dict[str, list[bytes | None]]]:
    """Give the bytes of the values that each row has of an attribute in a sequence, by its label; none if unsure."""
    inside = []
    for value, raw in zip(rows[key.keyword].to_pylist(), rows["raw"].to_pylist(), strict=True):
        kept = [one["value"] for one in raw if one["tag"] == key.label]
        items = value if isinstance(value, list) else [value]
        foreign = [text is not None and not _is_plain(text) for text in items]
        if kept and len(kept) == sum(foreign):
            rest = iter(kept)
            inside.append({key.label: [_bytes(text, rest) for text in items]})
        else:
            inside.append({})
    return inside


def _bytes(text: str | None, kept: Iterator[bytes]) -> bytes | None:
    if text is None:
        return None
    return text.encode("ascii") if _is_plain(text) else next(kept)


def _is_plain(text: str) -> bool:
    return text.isascii() and "\x1b" not in text


def _in_items(key: Attribute, values: Sequence[bytes | None]) -> bytes:
    """Encode values of an attribute as the items of its sequence, in the first item of the sequences above."""
    items = [b"" if value is None else _element(key.tag, value) for value in values]
    for tag in reversed(key.path):
        items = [_element(tag, b"".join(_element(_ITEM, item) for item in items))]
    return items[0]


def _element(tag: int, value: bytes) -> bytes:
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value)) + value


def _texts(rows: pa.Table, keys: list[Attribute]) -> list[dict[str, bytes]]:
    """Give the kept bytes of each row's text by tag. Where the column is null they are not of a value."""
    filled = {key.label: rows[key.keyword].is_valid().to_pylist() for key in keys}
    return [
        {kept["tag"]: kept["value"] for kept in raw if kept["tag"] in filled and filled[kept["tag"]][row]}
        for row, raw in enumerate(rows["raw"].to_pylist())
    ]


def _encoded(texts: dict[str, bytes]) -> bytes:
    return b"".join(_element(int(label, 16), value) for label, value in sorted(texts.items()))


def _merged(old: _Row, new: _Row, texts: Mapping[str, object], order: dict[str, int]) -> _Row:
    """Put new faults of the text in the place of the old ones, in the order in which decoding finds them."""
    of_dataset = [fault for fault in old if _OF_THE_DATASET.fullmatch(fault["reason"])]
    kept = [fault for fault in old if fault not in of_dataset and fault["tag"] not in texts]
    return of_dataset + sorted([*kept, *new], key=lambda fault: order.get(fault["tag"], len(order)))
