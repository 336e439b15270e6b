"""Decode a batch of identifiers into the typed table of its level: a row per identifier, in order, whatever the bytes.

Locate the elements, make odd datasets plain, then one column after the other. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crawler.columns import CATALOGUE, Attribute, schema, schema_of
from crawler.decode.column import PADDING, Bytes, Column, Mask, Rows
from crawler.decode.elements import Elements, Offsets, walk
from crawler.decode.fallback import straighten
from crawler.decode.findings import Findings
from crawler.decode.levels import LEVEL_TAG, of_another_level
from crawler.decode.lists import Spread, of_first_item, spread
from crawler.decode.names import family_and_given
from crawler.decode.sequences import sequence_column
from crawler.decode.text import Terms, list_column, text_column
from crawler.decode.values import TYPED_VRS, typed_column
from crawler.model import HIERARCHY, Identifiers, Level

_LARGEST = 2**30
"""Bytes decoded together; Arrow's offsets into text are 32 bits wide."""

ITEM_KEYS = ("StudyInstanceUID", "ScheduledProcedureStepID")
"""Columns that together tell one item of a worklist from the others."""

_CHARSET_TAG = 0x00080005
_MODALITY_TAG = 0x00080060


@dataclass(frozen=True, slots=True)
class _Part:
    """Some datasets of a batch, as arrays."""

    data: Bytes
    starts: Offsets
    ends: Offsets
    explicit_vr: bool


def decode(
    batch: Identifiers,
    level: Level,
    *,
    default_charset: str | Mapping[str, str] = "",
    study_modality: bool = False,
    added: tuple[Attribute, ...] = (),
) -> pa.Table:
    r"""Decode identifiers; columns and types are those of `crawler.columns.schema(level, added)`.

    Absent is null; empty is '' for text, an empty list for lists, and null for typed columns. `default_charset` holds
    the defined terms for datasets without SpecificCharacterSet, as `ISO_IR 100` or `ISO 2022 IR 6\ISO 2022 IR 87`;
    as a mapping it says what each declared value means, '' standing for none.
    A row that says it is of another level has no unique key.
    With `study_modality`, ModalitiesInStudy is read from the Modality that some PACS give of a study instead.
    """
    attributes = _with_modality() if study_modality and level is Level.STUDY else CATALOGUE[level]
    meant = {"": default_charset} if isinstance(default_charset, str) else default_charset
    wanted = Wanted.of((*attributes, *added), schema(level, added), level)
    return _decoded(batch, wanted, meant)


def decode_attributes(batch: Identifiers, attributes: tuple[Attribute, ...], meant: Mapping[str, str]) -> pa.Table:
    """Decode some attributes alone, of which SpecificCharacterSet must be the first; `meant` as `default_charset`."""
    return _decoded(batch, Wanted.of(attributes, schema_of(attributes)), meant)


def _decoded(batch: Identifiers, wanted: Wanted, meant: Mapping[str, str]) -> pa.Table:
    tables = []
    for part in _parts(batch):
        findings = Findings()
        elements = _locate(part, wanted, findings)
        tables.append(_table(elements, wanted, meant, part.explicit_vr, findings))
    return pa.concat_tables(tables) if tables else wanted.schema.empty_table()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for in each dataset."""

    attributes: tuple[Attribute, ...]
    schema: pa.Schema
    vrs: dict[int, str]
    """The VR of each tag wanted at the top, SQ for a sequence with an attribute in it."""
    private: dict[tuple[int, bytes], int]
    """The block in which the private attributes of a group and creator are looked for."""
    level: Level | None = None
    """The level that rows must be of, where they say so; None for any."""

    @staticmethod
    def of(attributes: tuple[Attribute, ...], names: pa.Schema, level: Level | None = None) -> Wanted:
        """Gather what to look for to make these columns."""
        vrs = {key.top: "SQ" if key.path else key.vr for key in attributes}
        if level in HIERARCHY:
            vrs[LEVEL_TAG] = "CS"
        private = {(key.tag >> 16, key.creator.encode()): key.tag >> 8 & 0xFF for key in attributes if key.creator}
        return Wanted(attributes, names, vrs, private, level if level in HIERARCHY else None)

    @property
    def creators(self) -> dict[int, bytes]:
        """The creator that each block's own element must name."""
        return {group << 16 | block: creator for (group, creator), block in self.private.items()}

    @property
    def suspect(self) -> frozenset[int]:
        """Where a creator may stand beside the blocks that we asked for."""
        groups = {group for group, _ in self.private}
        anywhere = {group << 16 | block for group in groups for block in range(0x10, 0x100)}
        return frozenset(anywhere - set(self.creators))


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


def _locate(part: _Part, wanted: Wanted, findings: Findings, *, all_odd: bool = False) -> Elements:
    """Find the values of the wanted tags; odd datasets are made plain and found in a buffer that holds them instead."""
    tags = (*wanted.vrs, *wanted.creators)
    if part.explicit_vr or all_odd:
        odd = np.ones(len(part.starts), np.bool_)
    else:
        elements, odd = walk(part.data, part.starts, part.ends, tags, wanted.suspect)
        for slot, creator in enumerate(wanted.creators.values(), start=len(wanted.vrs)):
            odd |= _of_another(elements.column(slot), creator)
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


def _of_another(creators: Column, wanted: bytes) -> Mask:
    """Say in which datasets a private block is not the wanted creator's."""
    coded = creators.gather(pa.binary()).dictionary_encode()
    if not coded.null_count and not len(coded.dictionary):
        return np.zeros(len(creators), np.bool_)
    other = np.array([value.strip(PADDING) != wanted for value in coded.dictionary.to_pylist()] + [True])
    foreign: Mask = other[coded.indices.fill_null(-1).to_numpy()]
    return foreign


def _straightened(part: _Part, rows: Rows, wanted: Wanted, findings: Findings) -> list[bytes]:
    plain = []
    for row in rows.tolist():
        dataset = part.data[part.starts[row] : part.ends[row]].tobytes()
        straight = straighten(dataset, wanted.vrs, part.explicit_vr, wanted.private)
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
    elements: Elements, wanted: Wanted, meant: Mapping[str, str], explicit_vr: bool, findings: Findings
) -> pa.Table:
    """Make the columns of a level in the catalogue's order; SpecificCharacterSet comes first in all of them."""
    columns: list[pa.Array] = []
    terms: Terms | None = None
    slots = {tag: slot for slot, tag in enumerate(wanted.vrs)}
    others = of_another_level(elements.column(slots[LEVEL_TAG]), wanted.level, findings) if wanted.level else None
    for attribute in wanted.attributes:
        column = elements.column(slots[attribute.top])
        if others is not None and wanted.level and attribute.keyword == wanted.level.unique_key:
            findings.keep(others[column.filled[others]], attribute.tag, column)
            column = column.without(others)
        if attribute.vr == "SQ":
            made = [sequence_column(column, attribute, terms, explicit_vr, findings)]
        elif attribute.single:
            made = _of_first_item(of_first_item(column, attribute, explicit_vr), attribute, terms, findings)
        elif attribute.path or (attribute.multi and attribute.vr in TYPED_VRS):
            made = [_list(spread(column, attribute, explicit_vr), attribute, terms, findings)]
        else:
            made = _columns(column, attribute, terms, findings)
        if attribute.tag == _CHARSET_TAG:
            terms = Terms(made[0], meant)
        columns.extend(made)
    if Level.WORKLIST.unique_key in wanted.schema.names:
        columns.append(_items(*(columns[wanted.schema.get_field_index(name)] for name in ITEM_KEYS)))
    count = elements.begins.shape[1]
    columns.append(findings.faults(count, wanted.schema.field("faults").type))
    columns.append(findings.raw(count, wanted.schema.field("raw").type))
    return pa.Table.from_arrays(columns, schema=wanted.schema)


def _list(values: Spread, attribute: Attribute, terms: Terms | None, findings: Findings) -> pa.Array:
    """Decode a column of lists by decoding their single values as one column."""
    inner = Findings()
    single = replace(attribute, multi=False, path=())
    mine = None if terms is None else replace(terms, lists=terms.lists.take(values.owners))
    decoded, *_ = _columns(values.column, single, mine, inner)
    findings.absorb(inner, values.owners, attribute.label)
    findings.note(values.broken, attribute.label, "unreadable sequence", values.present)
    return values.lists(decoded)


def _of_first_item(values: Spread, attribute: Attribute, terms: Terms | None, findings: Findings) -> list[pa.Array]:
    """Decode a column of values that lie in the one item of a sequence."""
    inner = Findings()
    made = _columns(values.column, replace(attribute, path=()), terms, inner)
    findings.absorb(inner, values.owners, attribute.label)
    findings.note(values.broken, attribute.label, "unreadable sequence", values.present)
    return made


def _items(studies: pa.Array, steps: pa.Array) -> pa.Array:
    """Join the two keys of a worklist item; without a StudyInstanceUID there is none."""
    named = pc.and_kleene(pc.is_valid(studies), pc.not_equal(studies, ""))
    joined = pc.binary_join_element_wise(studies, steps, " ", null_handling="replace", null_replacement="")
    return pc.if_else(pc.fill_null(named, fill_value=False), joined, pa.scalar(None, pa.string()))


def _columns(column: Column, attribute: Attribute, terms: Terms | None, findings: Findings) -> list[pa.Array]:
    if attribute.vr in TYPED_VRS:
        return [typed_column(column, attribute.tag, attribute.vr, attribute.arrow_type, findings)]
    if attribute.multi:
        return [list_column(column, attribute, terms, findings)]
    text = text_column(column, attribute, terms, findings)
    if attribute.vr == "PN":
        return [text, *family_and_given(text)]
    return [text]
