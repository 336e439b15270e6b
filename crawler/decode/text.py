"""Text columns: padding, character sets, and lists of values. ASCII without ESC is taken as it stands. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crawler.columns import Attribute
from crawler.decode.charset import ESC, charset_of, decode_text
from crawler.decode.column import Column, Mask, Places, Rows
from crawler.decode.findings import Findings

CHARSET_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
"""VRs that SpecificCharacterSet is about (PS3.5 6.1.2.2); the others are ASCII."""

_LEADING_SPACES_ARE_PADDING = frozenset({"AE", "CS"})
_LONGEST = {"AE": 16, "CS": 16, "LO": 64, "LT": 10240, "PN": 64, "SH": 16, "ST": 1024, "UI": 64}
"""Characters in one value (PS3.5 6.2); for a person name in one component group."""

NOT_ASCII = "not ASCII"


@dataclass(frozen=True, slots=True)
class Terms:
    """SpecificCharacterSet of each row, looked at only for rows that need it."""

    lists: pa.Array
    meant: Mapping[str, str]
    """Terms that a PACS declares -> the terms of what it sends; '' for datasets that declare none."""

    def of(self, rows: Rows) -> tuple[list[str], Places]:
        """Give the distinct terms that some rows are read in, and which each row has."""
        coded = pc.binary_join(self.lists.take(rows), "\\").dictionary_encode(null_encoding="encode")
        declared = [terms or "" for terms in coded.dictionary.to_pylist()]
        return [self.meant.get(terms, terms) for terms in declared], coded.indices.to_numpy()


def text_column(column: Column, attribute: Attribute, terms: Terms | None, findings: Findings) -> pa.Array:
    """Decode a column of text; absent is null, empty is ''. Without `terms` it is ASCII."""
    text, lossy = _decode(column, attribute, terms, findings)
    findings.keep(np.flatnonzero(lossy), attribute.tag, column)
    _check_length(text, attribute, findings)
    if attribute.vr == "UI":
        data = values_of(text).data
        illegal = (data - np.uint8(ord("."))) > ord("9") - ord(".")
        findings.fault(_rows_with(illegal | (data == ord("/")), text), attribute.tag, "illegal character in UI")
    return text


def list_column(column: Column, attribute: Attribute, terms: Terms | None, findings: Findings) -> pa.Array:
    """Decode a column of text, split it at backslashes and strip each item; absent is null, empty is an empty list."""
    text, lossy = _decode(column, attribute, terms, findings)
    coded = text.dictionary_encode()
    values = coded.dictionary.to_pylist()
    items = [[item.strip(" ") for item in value.split("\\")] if value else [] for value in values]
    unfaithful = [index for index, value in enumerate(values) if "\\".join(items[index]) != value]
    longest = _LONGEST.get(attribute.vr, 2**32)
    too_long = [index for index, value in enumerate(items) if any(len(item) > longest for item in value)]
    which = coded.indices.fill_null(-1).to_numpy()
    findings.keep(np.flatnonzero(lossy | np.isin(which, unfaithful)), attribute.tag, column)
    findings.fault(np.flatnonzero(np.isin(which, too_long)), attribute.tag, f"longer than {longest} characters")
    return pa.array(items, attribute.arrow_type).take(coded.indices)


def values_of(text: pa.Array) -> Column:
    """View an Arrow array of text, as `take` makes them, as a column of bytes."""
    validity, offsets, data = text.buffers()
    places = np.frombuffer(offsets, np.int32, len(text) + 1) if len(text) else np.zeros(1, np.int32)
    content = np.frombuffer(data, np.uint8, int(places[-1])) if data is not None else np.zeros(0, np.uint8)
    present = np.ones(len(text), np.bool_) if validity is None else text.is_valid().to_numpy(zero_copy_only=False)
    return Column(content, places[:-1], places[1:], present, np.zeros(len(text), np.bool_))


def _decode(column: Column, attribute: Attribute, terms: Terms | None, findings: Findings) -> tuple[pa.Array, Mask]:
    """Remove the padding and decode; say which rows cannot give their bytes back."""
    trimmed = column.without_trailing_padding()
    lossy = np.zeros(len(column), np.bool_)
    if attribute.vr in _LEADING_SPACES_ARE_PADDING:
        stripped = trimmed.without_leading_spaces()
        # A value of nothing but spaces is padding and not lossy.
        lossy |= stripped.begins != trimmed.begins
        trimmed = stripped
    text = trimmed.gather(pa.string())
    data = values_of(text).data
    foreign = _rows_with((data >= 0x80) | (data == ESC), text)
    if not len(foreign):
        return text, lossy
    lossy[foreign] = True
    decoded = _decode_foreign(trimmed, foreign, attribute, terms, findings)
    places = np.arange(len(text))
    places[foreign] = len(text) + np.arange(len(foreign))
    return pa.concat_arrays([text, decoded]).take(pa.array(places)), lossy


def _decode_foreign(
    column: Column, rows: Rows, attribute: Attribute, terms: Terms | None, findings: Findings
) -> pa.Array:
    """Decode `rows` of the column, each distinct value of each character set once."""
    if terms is None or attribute.vr not in CHARSET_VRS:
        findings.fault(rows, attribute.tag, NOT_ASCII)
        distinct, index = [""], np.zeros(len(rows), np.int32)
    else:
        distinct, index = terms.of(rows)
    texts: list[str] = []
    places = np.empty(len(rows), np.int64)
    for number, names in enumerate(distinct):
        mine = np.flatnonzero(index == number)
        coded = column.at(rows[mine]).gather(pa.binary()).dictionary_encode()
        which = coded.indices.to_numpy()
        charset = charset_of(names)
        decoded = [decode_text(value, charset, attribute.vr == "PN") for value in coded.dictionary.to_pylist()]
        places[mine] = len(texts) + which
        texts.extend(text for text, _ in decoded)
        if terms is not None and attribute.vr in CHARSET_VRS:
            for problem in sorted({problem for _, problem in decoded if problem}):
                guilty = np.array([found == problem for _, found in decoded])[which]
                findings.fault(rows[mine[guilty]], attribute.tag, problem)
    return pa.array(texts, pa.string()).take(pa.array(places))


def _check_length(text: pa.Array, attribute: Attribute, findings: Findings) -> None:
    """Record values longer than their VR allows; the text stays."""
    longest = _LONGEST.get(attribute.vr)
    if longest is None:
        return
    values = values_of(text)
    rows = np.flatnonzero(values.ends - values.begins > longest)
    if not len(rows):
        return
    delimiter = "=" if attribute.vr == "PN" else None
    sizes = [max(map(len, value.split(delimiter) if delimiter else [value])) for value in text.take(rows).to_pylist()]
    guilty = rows[np.array(sizes, np.int64) > longest]
    findings.fault(guilty, attribute.tag, f"longer than {longest} characters")


def _rows_with(bad: Mask, text: pa.Array) -> Rows:
    """Say which rows hold a byte marked `bad`."""
    at = np.flatnonzero(bad)
    if not len(at):
        return at
    return np.unique(np.searchsorted(values_of(text).begins, at, side="right") - 1)
