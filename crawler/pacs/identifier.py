"""The question of a C-FIND: an identifier made of a level, matching keys and the catalogue (PS3.4 C.4.1.1).

Everything in the catalogue is asked for as a zero-length key; SpecificCharacterSet is always among them, because some
PACS leave it out of the answer otherwise. Pure.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Protocol

from crawler.columns import AS_OF_STUDIES, CATALOGUE, Attribute
from crawler.dicom import LONG_VRS, UTF_8, da
from crawler.errors import UserError
from crawler.model import HIERARCHY, Level, Model, Window

Element = tuple[int, str, bytes]
"""Tag, VR and unpadded value."""

_QUERY_RETRIEVE_LEVEL = (0x00080052, "CS")
_SPECIFIC_CHARACTER_SET = 0x00080005
_ITEM = (0xFFFE, 0xE000)
_CODECS = {"": "ascii", "ISO_IR 6": "ascii", "ISO_IR 100": "latin-1", UTF_8: "utf-8"}


class Askable(Protocol):
    """What a C-FIND can be sent for."""

    @property
    def model(self) -> Model:
        """The information model that it is asked by."""

    def encode(self, *, explicit_vr: bool = False) -> bytes:
        """Encode its identifier."""


@dataclass(frozen=True, slots=True)
class Query:
    """One C-FIND question. `matching` is keyword -> value as DICOM writes it; all other attributes are return keys."""

    model: Model
    level: Level
    matching: Mapping[str, str] = field(default_factory=dict)
    attributes: tuple[Attribute, ...] | None = None
    """What is asked for instead of the level's whole catalogue."""
    charset: str = ""
    """SpecificCharacterSet of the matching values; UTF-8 when they need one and none is named."""

    @staticmethod
    def of_window(model: Model, window: Window, attributes: tuple[Attribute, ...] | None = None) -> Query:
        """Ask for the studies of a window, or for what a worklist has scheduled in it."""
        keys = window_keys(window)
        if model is Model.WORKLIST:
            keys = {AS_OF_STUDIES.get(keyword, keyword): value for keyword, value in keys.items()}
        return Query(model, model.dated_level, keys, attributes)

    @staticmethod
    def below(
        model: Model, level: Level, parents: Mapping[str, str], attributes: tuple[Attribute, ...] | None = None
    ) -> Query:
        """Ask for what lies below one parent, whose unique keys of every level above are given (PS3.4 C.4.1.3.1.1)."""
        return Query(model, level, parents, attributes)

    def elements(self) -> tuple[Element, ...]:
        """The elements at the top that carry a value: matching keys, level and character set. Raises UserError."""
        level = (*_QUERY_RETRIEVE_LEVEL, self.level.query_retrieve_level.encode("ascii"))
        keys = [(_find_key(keyword, self.level), value) for keyword, value in self.matching.items()]
        return (
            (_SPECIFIC_CHARACTER_SET, "CS", self._charset.encode("ascii")),
            *([] if self.level is Level.WORKLIST else [level]),
            *((key.tag, key.vr, _encode_value(key, value, self._charset)) for key, value in keys if not key.path),
        )

    def encode(self, *, explicit_vr: bool = False) -> bytes:
        """Encode it as an identifier. Raises UserError for a key that is not in the catalogue."""
        nested = self._nested()
        if self.attributes is None and not nested:
            encoded = dict(_catalogue_keys(self.level, explicit_vr))
        else:
            encoded = _return_keys(self.attributes or CATALOGUE[self.level], explicit_vr, nested)
        for element in self.elements():
            encoded[element[0]] = _encode_element(*element, explicit_vr)
        return b"".join(encoded[tag] for tag in sorted(encoded))

    @property
    def _charset(self) -> str:
        return self.charset or ("" if all(value.isascii() for value in self.matching.values()) else UTF_8)

    def _nested(self) -> dict[str, bytes]:
        """Give the values of matching keys that lie in a sequence, by keyword."""
        keys = [(_find_key(keyword, self.level), value) for keyword, value in self.matching.items()]
        return {key.keyword: _encode_value(key, value, self._charset) for key, value in keys if key.path}


def encode_identifier(elements: Iterable[Element], *, explicit_vr: bool = False) -> bytes:
    """Encode elements in tag order, little endian, each value padded to an even length as its VR asks."""
    return b"".join(_encode_element(*element, explicit_vr) for element in sorted(elements))


def window_keys(window: Window) -> dict[str, str]:
    """Give the matching keys that ask for a window: StudyDate, StudyTime and its further key.

    A window open at both ends has no StudyDate: universal matching also finds studies without a date.
    """
    keys = {}
    if window.date_from or window.date_to:
        keys["StudyDate"] = _range(*(da(day) if day else "" for day in (window.date_from, window.date_to)))
    if window.time_from or window.time_to:
        keys["StudyTime"] = _range(window.time_from or "", window.time_to or "")
    return keys | window.conditions


def _range(low: str, high: str) -> str:
    return low if low == high else f"{low}-{high}"


def _find_key(keyword: str, level: Level) -> Attribute:
    known = _keys(level is Level.WORKLIST)
    key = known.get(keyword)
    if key is None:
        raise UserError(f"{keyword} is not a key that can be asked for; the keys are {', '.join(sorted(known))}")
    return key


def _return_keys(
    attributes: tuple[Attribute, ...], explicit_vr: bool, values: Mapping[str, bytes] | None = None
) -> dict[int, bytes]:
    """Encode keys by tag: with the creators of private ones, and an item around those in a sequence.

    They are of zero length but for those named in `values`.
    """
    given = values or {}
    keys: dict[int, bytes] = {}
    below: dict[int, list[Attribute]] = {}
    for key in attributes:
        if key.path:
            below.setdefault(key.path[0], []).append(replace(key, path=key.path[1:]))
        else:
            keys[key.tag] = _encode_element(key.tag, key.vr, given.get(key.keyword, b""), explicit_vr)
        if key.creator:
            block = key.tag & 0xFFFF0000 | (key.tag >> 8 & 0xFF)
            keys[block] = _encode_element(block, "LO", key.creator.encode("ascii"), explicit_vr)
    for tag, nested in below.items():
        inner = _return_keys(tuple(nested), explicit_vr, values)
        item = b"".join(inner[key] for key in sorted(inner))
        keys[tag] = _encode_element(tag, "SQ", struct.pack("<HHL", *_ITEM, len(item)) + item, explicit_vr)
    return keys


@cache
def _catalogue_keys(level: Level, explicit_vr: bool) -> Mapping[int, bytes]:
    """Keep a level's keys, because a crawl asks for the same ones a million times."""
    return _return_keys(CATALOGUE[level], explicit_vr)


@cache
def _keys(of_worklist: bool) -> dict[str, Attribute]:
    levels = (Level.WORKLIST,) if of_worklist else HIERARCHY
    return {key.keyword: key for level in levels for key in CATALOGUE[level]}


def _encode_value(key: Attribute, value: str, charset: str) -> bytes:
    if key.vr == "US":
        return struct.pack("<H", int(value)) if value else b""
    return value.encode(_CODECS.get(charset, "utf-8"))


def _encode_element(tag: int, vr: str, value: bytes, explicit_vr: bool) -> bytes:
    if len(value) % 2:
        value += b"\0" if vr == "UI" else b" "
    group, element = tag >> 16, tag & 0xFFFF
    if not explicit_vr:
        header = struct.pack("<HHI", group, element, len(value))
    elif vr in LONG_VRS:
        header = struct.pack("<HH2sHI", group, element, vr.encode(), 0, len(value))
    else:
        header = struct.pack("<HH2sH", group, element, vr.encode(), len(value))
    return header + value
