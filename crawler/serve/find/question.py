"""A C-FIND identifier as a question to the lake: which level, what to match, what to return (PS3.4 C.4.1, K.4.1).

What the lake has no column for comes back empty. Pure.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO

from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from crawler.columns import CATALOGUE, Attribute, Phi
from crawler.model import HIERARCHY, Level, Model
from crawler.pacs.charsets import CharsetError, decoded
from crawler.pacs.encoding import Constant
from crawler.serve.matching import can_match, is_universal

CHARSET, QUERY_LEVEL, RETRIEVE_AE = 0x00080005, 0x00080052, 0x00080054
_NO_KEYS = tuple((tag,) for tag in (CHARSET, QUERY_LEVEL, 0x00080053, RETRIEVE_AE, 0x00080201))
"""Not matched on, and in each answer as we have it or not at all; of the two without a name the one is
QueryRetrieveView, the other TimezoneOffsetFromUTC."""
_LEVELS = {level.query_retrieve_level: level for level in HIERARCHY}
_MALFORMED = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError, OSError, EOFError)
"""What pydicom raises on hostile bytes, beside struct.error."""
_TEXTLESS = ("OB", "OD", "OF", "OL", "OV", "OW", "UN", "AT", "US", "SS", "UL", "SL", "FL", "FD", "SV", "UV")

NOT_IN_MODEL = 0xA900
"""The identifier does not match the SOP class."""
NOT_PROCESSED = 0xC000
"""Unable to process (PS3.4 C.4.1.1.4)."""

Path = tuple[int, ...]
"""Tags of sequences from the outside in, and of the attribute itself."""


class BadQuestionError(ValueError):
    """The identifier cannot be answered; its text is for the caller and holds no value of a key."""

    def __init__(self, status: int, comment: str) -> None:
        super().__init__(comment)
        self.status = status


@dataclass(frozen=True, slots=True)
class Granted:
    """What was agreed on for a caller's association (PS3.4 C.5.1.1)."""

    relational: bool = False
    combined: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where the values of an attribute are: in the table of a level."""

    level: Level
    attribute: Attribute


@dataclass(frozen=True)
class Question:
    """What is asked."""

    model: Model
    level: Level
    keys: tuple[tuple[Place, str], ...]
    """What to match, with values as they came."""
    returned: tuple[Place, ...]
    constants: tuple[Constant, ...]
    """What comes back empty."""
    charset: str
    is_partly_unsupported: bool
    """Some key has no column here, or cannot be matched on: pending responses say 0xFF01."""
    granted: Granted

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """The levels whose tables it takes, its own first, then upwards."""
        used = {place.level for place in (*self.returned, *(place for place, _ in self.keys))}
        return (self.level, *(level for level in reversed(HIERARCHY) if level in used and level is not self.level))

    @property
    def said(self) -> str:
        """What is asked, without a value."""
        names = ", ".join(place.attribute.keyword for place, _ in self.keys)
        return f"C-FIND {self.level.query_retrieve_level}: {names or 'everything'}"

    @property
    def identifying(self) -> list[str]:
        """Names of what is returned that helps to identify a patient."""
        return [place.attribute.keyword for place in self.returned if place.attribute.phi is not Phi.NONE]


@dataclass(frozen=True)
class Reader:
    """Reads identifiers for a lake; `added` are attributes beyond the catalogue, by level."""

    added: Mapping[Level, Sequence[Attribute]]
    always_relational: bool = False

    def read(self, identifier: bytes, *, explicit_vr: bool, model: Model, granted: Granted) -> Question:
        """Read one. BadQuestionError."""
        elements = _read(identifier, explicit_vr)
        level = Level.WORKLIST if model is Model.WORKLIST else _level(_ascii(elements.get((QUERY_LEVEL,), b"")), model)
        charset = _ascii(elements.get((CHARSET,), b""))
        known = self._known(level)
        keys, returned, constants, unsupported = [], [], [], False
        for path, value in elements.items():
            if path in _NO_KEYS:
                continue
            place = known.get(path)
            if place is None:
                unsupported = True
                constants += [] if path in _sequences(known) else [_empty(path)]
                continue
            text = _text(value, place.attribute.vr, charset)
            returned.append(place)
            if value and not can_match(place.attribute):
                unsupported = True
            elif not is_universal(place.attribute, text):
                keys.append((place, text))
        found = (tuple(keys), tuple(returned), tuple(constants))
        question = Question(model, level, *found, charset, unsupported, granted)
        if not (granted.relational or self.always_relational):
            _require_parents(question)
        return question

    def _known(self, level: Level) -> dict[Path, Place]:
        """Give what can be asked at a level: its own attributes, then those of the levels above."""
        levels = [level]
        if level in HIERARCHY:  # what is known of a patient is a part of the studies
            levels += reversed(HIERARCHY[1 : HIERARCHY.index(level)])
        found: dict[Path, Place] = {}
        for one in levels:
            for attribute in (*CATALOGUE[one], *self.added.get(one, ())):
                if attribute.vr != "SQ":  # those are built of their parts
                    found.setdefault((*attribute.path, attribute.tag), Place(one, attribute))
        return found


def _read(identifier: bytes, explicit_vr: bool) -> dict[Path, bytes]:
    """Give the attributes of an identifier with their values as they are encoded. BadQuestionError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what pydicom makes out of it all the same
        try:
            return dict(_elements(read_dataset(BytesIO(identifier), not explicit_vr, True)))
        except (*_MALFORMED, struct.error) as error:
            raise BadQuestionError(NOT_PROCESSED, "the identifier cannot be read") from error


def _elements(dataset: Dataset, above: Path = ()) -> Iterator[tuple[Path, bytes]]:
    """Give each attribute of a dataset and of the first items in it; a sequence without an item is one itself."""
    for tag in sorted(dataset.keys()):
        element: object = dataset.get_item(tag)
        path = (*above, int(tag))
        if isinstance(element, RawDataElement) and _vr(int(tag), element.VR) != "SQ":
            if tag.element and isinstance(element.value, bytes | None):
                yield path, element.value or b""
            continue
        items: list[Dataset] = list(dataset[tag].value or ())
        if items and len(items[0]):
            yield from _elements(items[0], path)
        else:
            yield path, b""


def _level(name: str, model: Model) -> Level:
    level = _LEVELS.get(name)
    allowed = {
        Model.STUDY_ROOT: HIERARCHY[1:],
        Model.PATIENT_STUDY_ONLY: HIERARCHY[:2],
        Model.PATIENT_ROOT: HIERARCHY,
    }[model]
    if level not in allowed:
        right = ", ".join(one.query_retrieve_level for one in allowed)
        raise BadQuestionError(NOT_IN_MODEL, f"QueryRetrieveLevel must be one of {right}")
    return level


def _require_parents(question: Question) -> None:
    """Refuse what only relational queries may ask: a level without the unique keys above it (PS3.4 C.4.1.3.1)."""
    if question.level is Level.WORKLIST:
        return
    first = 1 if question.model is Model.STUDY_ROOT else 0
    named = {place.attribute.keyword for place, _ in question.keys}
    for parent in HIERARCHY[first : HIERARCHY.index(question.level)]:
        if parent.unique_key not in named:
            raise BadQuestionError(NOT_IN_MODEL, f"{parent.unique_key} must have a value at this level")


def _sequences(known: Mapping[Path, Place]) -> set[Path]:
    """Give the sequences that are built of parts."""
    return {path[:depth] for path in known for depth in range(1, len(path))}


def _empty(path: Path) -> Constant:
    return Constant(path[-1], _vr(path[-1], None), "", path[:-1])


def _vr(tag: int, told: str | None) -> str:
    """Give the VR of a tag: as it was told, or by PS3.6; UN where that leaves a choice."""
    if told and told != "UN":
        return told
    known = str(dictionary_VR(tag)) if dictionary_has_tag(tag) else "UN"
    return known if len(known) == 2 else "UN"


def _ascii(value: bytes) -> str:
    return value.decode("ascii", "replace").strip(" \0")


def _text(value: bytes, vr: str, charset: str) -> str:
    if vr in _TEXTLESS:
        return _number(value, vr)
    if value.isascii() and b"\x1b" not in value:
        return _ascii(value)
    try:
        return decoded(value, charset).strip(" \0")
    except CharsetError as error:
        raise BadQuestionError(NOT_PROCESSED, str(error)) from error


def _number(value: bytes, vr: str) -> str:
    """Write the number that a key asks for; nothing where it is none."""
    kind = {"US": "<H", "SS": "<h", "UL": "<I", "SL": "<i", "FL": "<f", "FD": "<d"}.get(vr, "")
    return str(struct.unpack(kind, value)[0]) if kind and len(value) == struct.calcsize(kind) else ""
