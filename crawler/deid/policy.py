"""What a lake without identifiers writes: decoded rows in, the same rows with columns kept, hashed or dropped out.

A value that is kept is one that its element alone holds. Where a length lies, a text swallows the elements behind it,
names among them; their headers show as control characters, and such a text is dropped. In `raw` bytes of texts are kept
alone, as what is malformed elsewhere may be whole sequences. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from crawler.columns import CATALOGUE, Attribute, by_keyword
from crawler.deid.pseudonyms import Pseudonyms
from crawler.errors import UserError
from crawler.model import Coverage, Level
from crawler.phi import Rules, Treatment, has_code

_CONTROL = "[\\x00-\\x08\\x0b\\x0e-\\x1a\\x1c-\\x1f]"
"""What no text holds (PS3.5 6.1.3)."""
_CONTROL_BYTES = re.compile(_CONTROL.encode())
_STEP = "ScheduledProcedureStepID"
_SHORT = 1
"""So many letters of a PatientID tell nobody: the parts that a crowded second is asked for in."""


@dataclass(frozen=True)
class Policy:
    """What becomes of each column, by which key."""

    rules: Rules
    pseudonyms: Pseudonyms = field(repr=False)

    @property
    def note(self) -> str:
        """What a lake notes of it: the rules, and which key it is without telling it."""
        return json.dumps({"rules": json.loads(self.rules.as_text()), "key": self.pseudonyms.fingerprint})

    def apply(self, level: Level, rows: pa.Table, added: tuple[Attribute, ...] = ()) -> pa.Table:
        """Give decoded rows as the lake may hold them; the columns stay what they are."""
        keys = (*CATALOGUE[level], *added)
        made: dict[str, pa.Array] = {}
        for key in keys:
            made |= self._columns_of(key, rows)
        if level is Level.WORKLIST:
            made[level.unique_key] = self._items(rows, made)
        texts = {key.label for key in keys if self.rules.of(key) is Treatment.KEEP and has_code(key) and not key.path}
        made["raw"] = _raw_of(rows["raw"].combine_chunks(), texts)
        return pa.Table.from_arrays([made.get(name, rows[name]) for name in rows.schema.names], schema=rows.schema)

    def of_files(self, rows: pa.Table) -> pa.Table:
        """Give rows of received files as the lake may hold them: what they say of an image is kept or dropped."""
        for key in (*CATALOGUE[Level.SERIES], *CATALOGUE[Level.IMAGE]):
            if key.keyword in rows.schema.names and self.rules.of(key) is not Treatment.KEEP:
                at = rows.schema.get_field_index(key.keyword)
                rows = rows.set_column(at, rows.schema.field(at), pa.nulls(rows.num_rows, rows.schema.field(at).type))
        return rows

    def coverage(self, row: Coverage) -> Coverage:
        """Give a ledger row without the beginnings of PatientIDs that crowded answers were asked for in parts by."""
        asked = row.window.conditions.get("PatientID", "").strip("*")
        if len(asked) <= _SHORT or self.rules.of(PATIENT_ID) is Treatment.KEEP:
            return row
        said = [
            f"{name}={self.pseudonyms.code('beginning', value) if name == 'PatientID' else value}"
            for name, value in row.window.conditions.items()
        ]
        return replace(row, window=replace(row.window, key="&".join(said)))

    def hashed(self, keyword: str, values: pa.Array) -> pa.Array:
        """Give a column of texts, or of lists of them, with codes in their place; null and '' stay what they are."""
        if pa.types.is_list(values.type):
            inner = self.hashed(keyword, values.flatten())
            lengths = pc.fill_null(pc.list_value_length(values), 0).to_numpy()
            return pa.ListArray.from_arrays(pa.array(_offsets(lengths)), inner, mask=values.is_null())
        coded = values.dictionary_encode()
        texts = coded.dictionary.to_pylist()
        made = self.pseudonyms.patients(texts) if keyword == "PatientID" else self.pseudonyms.codes(keyword, texts)
        return pa.array(made, pa.string()).take(coded.indices)

    def named(self, keyword: str, values: Sequence[str]) -> list[str]:
        """Give what stands in the lake for values of an attribute. UserError where nothing does."""
        match self.rules.of(by_keyword()[keyword]):
            case Treatment.KEEP:
                return list(values)
            case Treatment.HASH:
                return [str(code) for code in self.hashed(keyword, pa.array(values, pa.string())).to_pylist()]
            case Treatment.DROP:
                raise UserError(f"{keyword} is not in this lake, because [phi] drops it")

    def _columns_of(self, key: Attribute, rows: pa.Table) -> dict[str, pa.Array]:
        """Give the columns of an attribute that are to be others than they are."""
        treatment = self.rules.of(key)
        if treatment is Treatment.KEEP:
            return _without_swallowed(rows, key.columns) if has_code(key) else {}
        made = {name: pa.nulls(rows.num_rows, rows.schema.field(name).type) for name in key.columns}
        if treatment is Treatment.HASH:
            made[key.keyword] = self.hashed(key.keyword, rows[key.keyword].combine_chunks())
        return made

    def _items(self, rows: pa.Table, made: dict[str, pa.Array]) -> pa.Array:
        """Make the key of worklist items anew: of what is kept, and of a step's ID at least its code."""
        studies, steps = (made.get(name, rows[name]) for name in ("StudyInstanceUID", _STEP))
        if steps.null_count == rows.num_rows:
            steps = self.hashed(_STEP, rows[_STEP].combine_chunks())
        joined = pc.binary_join_element_wise(studies, steps, " ", null_handling="replace", null_replacement="")
        there = pc.fill_null(pc.not_equal(studies, ""), fill_value=False)
        return pc.if_else(there, joined, pa.scalar(None, pa.string()))


PATIENT_ID = next(key for key in CATALOGUE[Level.PATIENT] if key.keyword == "PatientID")


def _without_swallowed(rows: pa.Table, names: tuple[str, ...]) -> dict[str, pa.Array]:
    """Give those of some columns of text again that have a value with control characters, without these values."""
    made = {}
    for name in names:
        column = rows[name].combine_chunks()
        texts = column.flatten() if pa.types.is_list(column.type) else column
        if not _may_hold_controls(texts):
            continue
        bad = pc.fill_null(pc.match_substring_regex(texts, _CONTROL), fill_value=False)
        if texts is not column:
            guilty = pc.list_parent_indices(column).filter(bad)
            bad = pc.is_in(pa.array(np.arange(len(column))), guilty.cast(pa.int64()))
        made[name] = pc.if_else(bad, pa.scalar(None, column.type), column)
    return made


def _may_hold_controls(texts: pa.Array) -> bool:
    data = texts.buffers()[2]
    return data is not None and bool((np.frombuffer(data, np.uint8) < ord(" ")).any())


def _raw_of(raw: pa.Array, kept: set[str]) -> pa.Array:
    """Give the bytes under the tags `kept`, unless they are more than a text."""
    entries = raw.flatten()
    if not len(entries):
        return raw
    tags, values = entries.field("tag"), entries.field("value")
    clean = [value is not None and not _CONTROL_BYTES.search(value.rstrip(b"\0")) for value in values.to_pylist()]
    stays = np.array(pc.is_in(tags, pa.array(sorted(kept), pa.string())).to_pylist()) & np.array(clean)
    owners = pc.list_parent_indices(raw).to_numpy()[stays]
    offsets = pa.array(_offsets(np.bincount(owners, minlength=len(raw))))
    return pa.ListArray.from_arrays(offsets, entries.filter(pa.array(stays)), type=raw.type)


def _offsets(lengths: NDArray[np.int64]) -> NDArray[np.int32]:
    """Say where lists of these lengths begin, and the last one ends."""
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
