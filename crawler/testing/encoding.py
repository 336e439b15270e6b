"""Columns of a synthetic archive as encoded identifiers, each row in its own character set. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from crawler.columns import Attribute
from crawler.pacs import encoding
from crawler.pacs.encoding import Constant, utf8
from crawler.pacs.numerals import text
from crawler.testing.numbers import chosen
from crawler.testing.question import CHARSET

_BACKSLASH = text("\\")


def encode(
    columns: Mapping[str, pa.Array], attributes: Sequence[Attribute | Constant], explicit_vr: bool = False
) -> pa.Array:
    """Encode rows as identifiers of these attributes. Text that is not ASCII needs a column SpecificCharacterSet.

    A constant stands in an attribute's place; where it is SpecificCharacterSet, all text is in UTF-8.
    """
    constants = {one.tag for one in attributes if isinstance(one, Constant)}
    latin = None if CHARSET in constants else _is_latin(columns.get("SpecificCharacterSet"))
    if latin is None:
        return encoding.encode(columns, attributes, explicit_vr=explicit_vr)

    def write(column: pa.Array, vr: str) -> pa.Array:
        return _encoded(column, latin) if len(column) == len(latin) else utf8(column, vr)

    return encoding.encode(columns, attributes, explicit_vr=explicit_vr, write=write)


def _is_latin(charsets: pa.Array | None) -> pa.Array | None:
    """Say which rows are in ISO_IR 100."""
    return None if charsets is None else pc.equal(pc.binary_join(charsets, _BACKSLASH), text("ISO_IR 100"))


def _encoded(column: pa.Array, latin: pa.Array) -> pa.Array:
    """Encode text by each row's character set: UTF-8 is how Arrow keeps it, so only ISO_IR 100 needs work."""
    values = column.cast(pa.binary())
    if encoding.is_ascii(values):
        return values
    wide = pc.and_(latin, pc.greater(pc.binary_length(column), pc.utf8_length(column)))
    distinct = column.filter(wide).dictionary_encode()
    narrow = pa.array([word.encode("latin-1") for word in distinct.dictionary.to_pylist()], pa.binary())
    return pc.replace_with_mask(values, wide, chosen(narrow, distinct.indices))
