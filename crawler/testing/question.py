"""A C-FIND request as a simulated PACS understands it: level, keys to match, attributes to return. Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from io import BytesIO

from crawler.columns import CATALOGUE, Attribute, Phi
from crawler.model import Level, Model
from crawler.testing.matching import can_match

QUERY_LEVEL = 0x00080052
CHARSET = 0x00080005
RETRIEVE_AE = 0x00080054
_LONG_VRS = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
_UNDEFINED = 0xFFFFFFFF
_LEVELS = {level.query_retrieve_level: level for level in Level}
_PYTHON_CHARSETS = {"": "latin-1", "ISO_IR 6": "latin-1", "ISO_IR 100": "latin-1", "ISO_IR 192": "utf-8"}
_UPPER = Attribute("PatientID", 0x00100020, "LO", Phi.DIRECT, "Patient of the series or image")
"""Unique key of the level above the study, which lower levels may name too (PS3.4 C.4.1.2.1)."""


class BadQuestionError(ValueError):
    """The identifier does not match the SOP class: the answer is 0xA900 (PS3.4 C.4.1.1.4)."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked at which level. `keys` has the text of every key with a value, by keyword."""

    level: Level
    keys: dict[str, str]
    tags: tuple[int, ...]
    """The attributes to return, all of them known at this level."""
    is_partly_unsupported: bool
    """Some key is unknown here or cannot be matched on, so pending responses say 0xFF01."""

    def uids(self, keyword: str) -> list[str]:
        """Give the UIDs of a key, none when it is absent or universal."""
        value = self.keys.get(keyword, "")
        return [] if value in ("", "*") else value.split("\\")


def known(level: Level) -> dict[int, Attribute]:
    """Give the attributes that this level can return, by tag."""
    return _known(level)


@cache
def _known(level: Level) -> dict[int, Attribute]:
    table = {attribute.tag: attribute for attribute in CATALOGUE[level]}
    return table if level in (Level.PATIENT, Level.STUDY) else {**table, _UPPER.tag: _UPPER}


def read_question(identifier: bytes, *, explicit_vr: bool, model: Model) -> Question:
    """Read an identifier. Raises BadQuestionError."""
    elements = dict(_elements(identifier, explicit_vr))
    level = _LEVELS.get(_ascii(elements.pop(QUERY_LEVEL, b"")))
    if level is None or (level is Level.PATIENT and model is not Model.PATIENT_ROOT):
        raise BadQuestionError("unknown QueryRetrieveLevel for this SOP class")
    charset = _ascii(elements.get(CHARSET, b""))
    table = known(level)
    keys, unsupported = {}, False
    for tag, value in elements.items():
        attribute = table.get(tag)
        if attribute is None:
            unsupported = unsupported or tag != CHARSET
        elif value and tag not in (CHARSET, RETRIEVE_AE):
            keys[attribute.keyword] = _text(value, charset)
            unsupported = unsupported or not can_match(attribute)
    question = Question(level, keys, _returned(level, tuple(elements)), unsupported)
    _require_parents(question, model)
    return question


@lru_cache(maxsize=1024)
def _returned(level: Level, tags: tuple[int, ...]) -> tuple[int, ...]:
    """Add what every answer has, and leave out what this level does not know."""
    return tuple(sorted({CHARSET, RETRIEVE_AE} | (set(tags) & set(known(level)))))


def _require_parents(question: Question, model: Model) -> None:
    """Refuse what only relational queries may ask: a level without the unique keys above it (PS3.4 C.4.1.3.1)."""
    levels = list(Level)
    first = 0 if model is Model.PATIENT_ROOT else 1
    for parent in levels[first : levels.index(question.level)]:
        if not question.uids(parent.unique_key):
            raise BadQuestionError(f"{parent.unique_key} is required at this level")


def _elements(data: bytes, explicit_vr: bool) -> Iterator[tuple[int, bytes]]:
    """Give tag and value of each element; groups lengths and sequences have none."""
    try:
        yield from _plain_elements(data, explicit_vr)
    except (_OddError, struct.error):
        yield from _odd_elements(data, explicit_vr)


class _OddError(Exception):
    """Something that only a full parser can read."""


def _plain_elements(data: bytes, explicit_vr: bool) -> list[tuple[int, bytes]]:
    found, at, size = [], 0, len(data)
    while at < size:
        group, number, length = struct.unpack_from("<HHI", data, at)
        at += 8
        if explicit_vr:
            vr, length = data[at - 4 : at - 2], length >> 16
            if vr in _LONG_VRS:
                (length,) = struct.unpack_from("<I", data, at)
                at += 4
        if length == _UNDEFINED or at + length > size:
            raise _OddError
        if number:
            found.append((group << 16 | number, data[at : at + length]))
        at += length
    return found


def _odd_elements(data: bytes, explicit_vr: bool) -> list[tuple[int, bytes]]:
    from pydicom.filereader import read_dataset

    try:
        dataset = read_dataset(BytesIO(data), not explicit_vr, True)
        raw = [(int(tag), dataset.get_item(tag)) for tag in dataset.keys()]  # noqa: SIM118  # it iterates over elements
    except Exception as error:
        raise BadQuestionError("the identifier cannot be read") from error
    return [(tag, getattr(element, "value", None) or b"") for tag, element in raw]


def _ascii(value: bytes) -> str:
    return value.decode("ascii", "replace").strip(" \0")


def _text(value: bytes, charset: str) -> str:
    """Decode a key's value; a character that cannot be decoded matches nothing."""
    if value.isascii():
        return value.decode("ascii").strip(" \0")
    codec = _PYTHON_CHARSETS.get(charset)
    if codec is None:
        from pydicom.charset import convert_encodings, decode_bytes

        return decode_bytes(value, convert_encodings(charset.split("\\")), set(b"\\^=")).strip(" \0")
    return value.decode(codec, "replace").strip(" \0")
