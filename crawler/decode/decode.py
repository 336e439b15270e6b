"""Decode a batch of identifiers into the typed table of its level: a row per identifier, in order, whatever the bytes.

Locate the elements, make odd datasets plain, then one column after the other. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pyarrow as pa

from crawler.columns import CATALOGUE, Attribute, schema
from crawler.decode.column import Bytes, Column, Rows
from crawler.decode.elements import Elements, Offsets, walk
from crawler.decode.fallback import straighten
from crawler.decode.findings import Findings
from crawler.decode.names import family_and_given
from crawler.decode.text import Terms, list_column, text_column
from crawler.decode.values import TYPED_VRS, typed_column
from crawler.model import Identifiers, Level

_LARGEST = 2**30
"""Bytes decoded together; Arrow's offsets into text are 32 bits wide."""

_CHARSET_TAG = 0x00080005
_MODALITY_TAG = 0x00080060


@dataclass(frozen=True, slots=True)
class _Part:
    """Some datasets of a batch, as arrays."""

    data: Bytes
    starts: Offsets
    ends: Offsets
    explicit_vr: bool


def decode(batch: Identifiers, level: Level, *, default_charset: str = "", study_modality: bool = False) -> pa.Table:
    r"""Decode identifiers; columns and types are those of `crawler.columns.schema(level)`.

    Absent is null; empty is '' for text, an empty list for lists, and null for typed columns. `default_charset` holds
    the defined terms for datasets without SpecificCharacterSet, as `ISO_IR 100` or `ISO 2022 IR 6\ISO 2022 IR 87`.
    With `study_modality`, ModalitiesInStudy is read from the Modality that some PACS give of a study instead.
    """
    attributes = _with_modality() if study_modality and level is Level.STUDY else CATALOGUE[level]
    wanted = {attribute.tag: attribute.vr for attribute in attributes}
    tables = []
    for part in _parts(batch):
        findings = Findings()
        elements = _locate(part, wanted, findings)
        tables.append(_table(elements, attributes, schema(level), default_charset, findings))
    return pa.concat_tables(tables) if tables else schema(level).empty_table()


def _with_modality() -> tuple[Attribute, ...]:
    """Give the study's attributes with ModalitiesInStudy under the tag of Modality; their order stays ascending."""
    return tuple(
        replace(attribute, tag=_MODALITY_TAG) if attribute.keyword == "ModalitiesInStudy" else attribute
        for attribute in CATALOGUE[Level.STUDY]
    )


def _parts(batch: Identifiers) -> Iterator[_Part]:
    """Cut a batch where Arrow's offsets would overflow."""
    data = np.frombuffer(batch.data, np.uint8)
    starts, ends = np.array(batch.starts, np.int64), np.array(batch.ends, np.int64)
    cuts = np.searchsorted(starts, np.arange(_LARGEST, len(data), _LARGEST))
    for first, last in pairwise([0, *cuts.tolist(), len(starts)]):
        if first < last:
            base = int(starts[first])
            rows = slice(first, last)
            yield _Part(data[base : int(ends[last - 1])], starts[rows] - base, ends[rows] - base, batch.explicit_vr)


def _locate(part: _Part, wanted: dict[int, str], findings: Findings, *, all_odd: bool = False) -> Elements:
    """Find the values of the wanted tags; odd datasets are made plain and found in a buffer that holds them instead."""
    tags = tuple(wanted)
    if part.explicit_vr or all_odd:
        odd = np.ones(len(part.starts), np.bool_)
    else:
        elements, odd = walk(part.data, part.starts, part.ends, tags)
        if not odd.any():
            return elements
    rows = np.flatnonzero(odd)
    plain = _straightened(part, rows, wanted, findings)
    data, starts, ends = _spliced(part, rows, plain)
    mended, _ = walk(data, starts[rows], ends[rows], tags)
    if len(rows) == len(odd):
        return mended
    elements = elements.moved(data, (starts - part.starts).astype(np.int32))
    elements.begins[:, rows] = mended.begins
    elements.ends[:, rows] = mended.ends
    elements.present[:, rows] = mended.present
    elements.padded[:, rows] = mended.padded
    return elements


def _straightened(part: _Part, rows: Rows, wanted: dict[int, str], findings: Findings) -> list[bytes]:
    plain = []
    for row in rows.tolist():
        straight = straighten(part.data[part.starts[row] : part.ends[row]].tobytes(), wanted, part.explicit_vr)
        for tag, reason in straight.faults:
            findings.fault(np.array([row]), tag, reason)
        for tag, value in straight.leftovers.items():
            findings.keep_bytes(row, tag, value)
        plain.append(straight.encoded)
    return plain


def _spliced(part: _Part, rows: Rows, plain: list[bytes]) -> tuple[Bytes, Offsets, Offsets]:
    """Put the plain datasets where the odd ones `rows` were; give the new buffer, and where datasets begin and end."""
    growth = np.zeros(len(part.starts), np.int64)
    pieces: list[memoryview | bytes] = []
    at = 0
    for row, dataset in zip(rows.tolist(), plain, strict=True):
        begin, end = int(part.starts[row]), int(part.ends[row])
        growth[row] = len(dataset) - (end - begin)
        pieces += [part.data[at:begin].data, dataset]
        at = end
    pieces.append(part.data[at:].data)
    grown = np.cumsum(growth)
    return np.frombuffer(b"".join(pieces), np.uint8), part.starts + grown - growth, part.ends + grown


def _table(
    elements: Elements, attributes: Sequence[Attribute], names: pa.Schema, default_charset: str, findings: Findings
) -> pa.Table:
    """Make the columns of a level in the catalogue's order; SpecificCharacterSet comes first in all of them."""
    columns: list[pa.Array] = []
    terms: Terms | None = None
    for slot, attribute in enumerate(attributes):
        made = _columns(elements.column(slot), attribute, terms, findings)
        if attribute.tag == _CHARSET_TAG:
            terms = Terms(made[0], default_charset)
        columns.extend(made)
    count = elements.begins.shape[1]
    columns.append(findings.faults(count, names.field("faults").type))
    columns.append(findings.raw(count, names.field("raw").type))
    return pa.Table.from_arrays(columns, schema=names)


def _columns(column: Column, attribute: Attribute, terms: Terms | None, findings: Findings) -> list[pa.Array]:
    if attribute.vr in TYPED_VRS:
        return [typed_column(column, attribute.tag, attribute.vr, attribute.arrow_type, findings)]
    if attribute.multi:
        return [list_column(column, attribute, terms, findings)]
    text = text_column(column, attribute, terms, findings)
    if attribute.vr == "PN":
        return [text, *family_and_given(text)]
    return [text]
