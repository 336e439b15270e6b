"""A C-FIND request as a simulated PACS understands it: level, keys to match, attributes to return. Pure."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache, lru_cache

from crawler.columns import CATALOGUE, Attribute, Phi
from crawler.dicom import LONG_VRS_AS_SENT
from crawler.model import HIERARCHY, Level, Model
from crawler.testing.matching import can_match

QUERY_LEVEL = 0x00080052
CHARSET = 0x00080005
RETRIEVE_AE = 0x00080054
_UNDEFINED = 0xFFFFFFFF
_HEADER = struct.Struct("<HHI")
_DELIMITERS = 0xFFFE
_ITEM_END, _SEQUENCE_END = 0xFFFEE00D, 0xFFFEE0DD
_LEVELS = {level.query_retrieve_level: level for level in HIERARCHY}
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


def read_question(identifier: bytes, *, explicit_vr: bool, model: Model, relational: bool = False) -> Question:
    """Read an identifier; a relational one needs no UIDs of the levels above. Raises BadQuestionError."""
    elements = dict(_elements(identifier, explicit_vr))
    level = _LEVELS.get(_ascii(elements.pop(QUERY_LEVEL, b"")))
    below_study = level not in (Level.PATIENT, Level.STUDY) and model is Model.PATIENT_STUDY_ONLY
    if level is None or below_study or (level is Level.PATIENT and model is Model.STUDY_ROOT):
        raise BadQuestionError("unknown QueryRetrieveLevel for this SOP class")
    charset = _ascii(elements.get(CHARSET, b""))
    table = known(level)
    keys, unsupported = {}, False
    for tag, value in elements.items():
        attribute = table.get(tag) or (known(Level.STUDY).get(tag) if relational and value else None)
        if attribute is None:
            unsupported = unsupported or tag != CHARSET
        elif value and tag not in (CHARSET, RETRIEVE_AE):
            keys[attribute.keyword] = _text(value, charset)
            unsupported = unsupported or not can_match(attribute)
    question = Question(level, keys, _returned(level, tuple(elements)), unsupported)
    if not relational:
        _require_parents(question, model)
    return question


@lru_cache(maxsize=1024)
def _returned(level: Level, tags: tuple[int, ...]) -> tuple[int, ...]:
    """Add what every answer has, and leave out what this level does not know."""
    return tuple(sorted({CHARSET, RETRIEVE_AE} | (set(tags) & set(known(level)))))


def _require_parents(question: Question, model: Model) -> None:
    """Refuse what only relational queries may ask: a level without the unique keys above it (PS3.4 C.4.1.3.1)."""
    levels = list(HIERARCHY)
    first = 1 if model is Model.STUDY_ROOT else 0
    for parent in levels[first : levels.index(question.level)]:
        if not question.uids(parent.unique_key):
            raise BadQuestionError(f"{parent.unique_key} is required at this level")


def _elements(data: bytes, explicit_vr: bool) -> list[tuple[int, bytes]]:
    """Give tag and value of each element; group lengths are left out, a sequence's value is empty."""
    found, at = [], 0
    try:
        while at < len(data):
            tag, length, at = _header(data, at, explicit_vr)
            if length == _UNDEFINED:
                found.append((tag, b""))
                at = _end_of_sequence(data, at, explicit_vr)
                continue
            if tag & 0xFFFF:
                found.append((tag, data[at : at + length]))
            at += length
    except struct.error as error:
        raise BadQuestionError("the identifier ends inside an element") from error
    if at > len(data):
        raise BadQuestionError("the identifier ends inside an element")
    return found


def _header(data: bytes, at: int, explicit_vr: bool) -> tuple[int, int, int]:
    """Read tag, length, and where the value begins."""
    group, number, length = _HEADER.unpack_from(data, at)
    if explicit_vr and group != _DELIMITERS:
        if data[at + 4 : at + 6] in LONG_VRS_AS_SENT:
            return group << 16 | number, *struct.unpack_from("<I", data, at + 8), at + 12
        length >>= 16
    return group << 16 | number, length, at + 8


def _end_of_sequence(data: bytes, at: int, explicit_vr: bool) -> int:
    """Walk over a sequence of undefined length, however deeply nested (PS3.5 7.5)."""
    depth = 1
    while depth:
        tag, length, at = _header(data, at, explicit_vr)
        if tag in (_ITEM_END, _SEQUENCE_END):
            depth -= 1
        elif length == _UNDEFINED:
            depth += 1
        else:
            at += length
    return at


def _ascii(value: bytes) -> str:
    return value.decode("ascii", "replace").strip(" \0")


def _text(value: bytes, charset: str) -> str:
    """Decode a key's value; a character that cannot be decoded matches nothing."""
    if value.isascii():
        return value.decode("ascii").strip(" \0")
    return value.decode(_codec(charset), "replace").strip(" \0")


@lru_cache(maxsize=64)
def _codec(charset: str) -> str:
    """Give Python's name for a character set; of several values the last, whose escape sequences the codec knows."""
    from pydicom.charset import python_encoding

    return python_encoding.get(charset.rpartition("\\")[2], "latin-1")
