"""Columns that hold a whole sequence: as text, the array of items of the DICOM JSON model (PS3.18 F.2).

Whatever its columns of single values show of a sequence, nothing of it is lost. Rows go one by one. Pure.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from crawler.columns import Attribute
from crawler.decode.charset import ESC, Charset, charset_of, decode_text
from crawler.decode.column import PADDING, Column
from crawler.decode.fallback import items, top_elements
from crawler.decode.findings import Findings
from crawler.decode.text import CHARSET_VRS, NOT_ASCII, Terms
from crawler.dicom import NAME_GROUPS

DEEPEST = 8
"""Sequences in sequences: how many there are is in the sender's hands, and no request has more than three."""

_ASCII_VRS = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"})
_ONE_VALUE = frozenset({"LT", "ST", "UT", "UR"})
_SPECIFIC_CHARACTER_SET = 0x00080005


class _UnreadableError(Exception):
    """A sequence that does not go on as PS3.5 7.5 wants it."""


@dataclass
class _Reader:
    """Reads one value; notes what was not as it should be."""

    charset: Charset
    explicit_vr: bool
    problem: str | None = None
    is_foreign: bool = False
    """Whether there was text that is not ASCII."""
    left: int = DEEPEST

    def sequence(self, value: bytes) -> list[dict[str, Any]]:
        if not self.left:
            raise _UnreadableError
        found = []
        for item in items(value, self.explicit_vr):
            elements = None if item is None else top_elements(item, self.explicit_vr)
            if elements is None:
                raise _UnreadableError
            found.append(self._item(elements))
        return found

    def _item(self, elements: dict[int, bytes]) -> dict[str, Any]:
        inner = replace(self, left=self.left - 1)
        if own := elements.get(_SPECIFIC_CHARACTER_SET, b"").strip(PADDING):
            inner.charset = charset_of(own.decode("ascii", "replace"))
        told = {f"{tag:08X}": inner._element(tag, value) for tag, value in sorted(elements.items())}
        self.problem, self.is_foreign = inner.problem, inner.is_foreign
        return told

    def _element(self, tag: int, value: bytes) -> dict[str, Any]:
        vr = _vr(tag)
        if vr == "SQ":
            return {"vr": vr, "Value": self.sequence(value)} if value else {"vr": vr}
        if vr not in CHARSET_VRS | _ASCII_VRS:
            return {"vr": vr, "InlineBinary": base64.b64encode(value).decode()} if value else {"vr": vr}
        text = self._text(value.rstrip(PADDING), vr)
        values = [text] if vr in _ONE_VALUE else [one.strip(" ") for one in text.split("\\")]
        if not text:
            return {"vr": vr}
        return {"vr": vr, "Value": [_name(one) if vr == "PN" else one or None for one in values]}

    def _text(self, value: bytes, vr: str) -> str:
        if value.isascii() and ESC not in value:
            return value.decode("ascii")
        self.is_foreign = True
        if vr not in CHARSET_VRS:
            self.problem = self.problem or NOT_ASCII
            return value.decode("ascii", "replace")
        text, problem = decode_text(value, self.charset, vr == "PN")
        self.problem = self.problem or problem
        return text


def sequence_column(
    column: Column, attribute: Attribute, terms: Terms | None, explicit_vr: bool, findings: Findings
) -> pa.Array:
    """Write each sequence as JSON; absent is null, and so is what cannot be read to its end."""
    told: list[str | None] = [None] * len(column)
    broken, foreign = [], []
    for row in np.flatnonzero(column.present).tolist():
        value = column.data[column.begins[row] : column.ends[row]].tobytes()
        reader = _Reader(charset_of(terms.of(np.array([row]))[0][0] if terms else ""), explicit_vr)
        try:
            told[row] = json.dumps(reader.sequence(value), ensure_ascii=False, separators=(",", ":"))
        except _UnreadableError:
            broken.append(row)
            continue
        if reader.is_foreign:
            foreign.append(row)
        if reader.problem:
            findings.fault(np.array([row]), attribute.tag, reader.problem)
    findings.note(np.array(broken, np.intp), attribute.label, "unreadable sequence", column)
    findings.keep(np.array(foreign, np.intp), attribute.tag, column)
    return pa.array(told, pa.string())


def _vr(tag: int) -> str:
    """Give the VR of a tag, UN where PS3.6 does not say or leaves a choice."""
    from pydicom.datadict import dictionary_has_tag, dictionary_VR  # 200 ms, and few answers have sequences

    vr = str(dictionary_VR(tag)) if dictionary_has_tag(tag) else "UN"
    return vr if len(vr) == 2 else "UN"


def _name(value: str) -> dict[str, str]:
    groups = zip(NAME_GROUPS, value.split("="), strict=False)
    return {name: group for name, group in groups if group}
