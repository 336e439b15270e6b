"""What is known of a patient, and in which forms it may stand in a file.

Names are looked for part by part. A part of five letters is looked for everywhere, inside of other words too; a
shorter one as a word of a text, since a file of half a million bytes has every four of them somewhere by chance.
Numbers count as a whole, without their leading zeros and separators. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Annotated, NamedTuple, assert_never

from pydantic import BaseModel, ConfigDict, Field
from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

from crawler.deid.needles import SHORTEST, Needles
from crawler.deid.spelling import encoded, fold, spellings, weight


class Known(StrEnum):
    """What is known of a patient, in the words of recipes and reports."""

    NAME = "patient name"
    PERSON = "name of another person"
    PATIENT_ID = "patient ID"
    NUMBER = "number of the hospital"
    """Accession numbers and their like."""
    BIRTH_DATE = "birth date"
    STUDY_DATE = "original date"
    INSTITUTION = "institution"
    STATION = "station"
    CONTACT = "address"
    UID = "original UID"


class CheckRules(BaseModel):
    """`[check]` of a recipe: what may stand in released files although it is known of the patient."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    ignore_words: Annotated[frozenset[str], Field(strict=False)] = frozenset(("unknown", "none", "null", "undefined"))
    """Words that are no names although they stand in a name: they are not looked for alone."""
    kept: Annotated[frozenset[Annotated[Known, Field(strict=False)]], Field(strict=False)] = frozenset()
    """What the recipe keeps on purpose."""


@dataclass(frozen=True, slots=True)
class Needle:
    """Bytes that stand for something known."""

    data: bytes
    kind: Known
    encoding: str
    """`latin-1`, or how letters of two bytes are ordered: digits before and after are read by it."""


class Code(NamedTuple):
    """A number, date or phrase in folded texts."""

    kind: Known
    pattern: str
    """A regular expression, because of what may stand between letters and digits."""


@dataclass(frozen=True)
class Identifiers:
    """What is known of a patient, in the forms that are looked for."""

    words: dict[str, Known] = field(default_factory=dict, repr=False)
    """Folded; short ones, looked for as whole words of texts."""
    parts: dict[str, Known] = field(default_factory=dict, repr=False)
    """Folded; looked for in texts, inside of words too."""
    codes: dict[str, Code] = field(default_factory=dict, repr=False)
    """By their folded letters and digits alone; looked for with what may stand between these."""
    written: frozenset[tuple[str, Known]] = field(default_factory=frozenset, repr=False)
    """As written; looked for as bytes."""
    raw: frozenset[tuple[bytes, Known]] = field(default_factory=frozenset, repr=False)
    """Bytes that the PACS sent."""
    uids: frozenset[str] = field(default_factory=frozenset, repr=False)

    @classmethod
    def of(
        cls, rows: Iterable[Mapping[str, object]], check: CheckRules | None = None, shift: int | None = None
    ) -> Identifiers:
        """Gather what rows of one patient tell: of studies, series and instances, columns by name.

        `shift` is by how many days dates were, or would have been, shifted; with None original dates are not looked
        for. What it takes, some milliseconds a patient, is worth keeping for all files of one.
        """
        gathered = _Gathered(check or CheckRules())
        for row in rows:
            for keyword, kind, value in _told(row):
                gathered.add(keyword, kind, value)
        gathered.add_dates(shift)
        return gathered.identifiers()

    @cached_property
    def needles(self) -> Needles[Needle]:
        """All bytes that may stand for one of them."""
        found: dict[tuple[bytes, str], Needle] = {}
        for text, kind in self.written:
            for data, encoding in encoded(text):
                found.setdefault((data, encoding), Needle(data, kind, encoding))
        for data, kind in self.raw:
            found.setdefault((data, "latin-1"), Needle(data, kind, "latin-1"))
        for beginning in {uid[:_UID_BEGINS] for uid in self.uids}:
            for encoding in ("latin-1", "utf-16-le", "utf-16-be"):
                data = beginning.encode(encoding)
                found.setdefault((data, encoding), Needle(data, Known.UID, encoding))
        return Needles(needle for needle in found.values() if len(needle.data) >= SHORTEST)


_UID_BEGINS = 7
"""Letters by which UIDs are found; then the whole is looked up, so that a thousand cost no more than one."""

_KINDS = {
    **dict.fromkeys(("PatientID", "OtherPatientIDs", "MedicalRecordLocator"), Known.PATIENT_ID),
    **dict.fromkeys(("PatientName", "OtherPatientNames", "PatientBirthName", "PatientMotherBirthName"), Known.NAME),
    **dict.fromkeys(("AccessionNumber", "StudyID", "AdmissionID", "ServiceEpisodeID"), Known.NUMBER),
    **dict.fromkeys(("RequestedProcedureID", "ScheduledProcedureStepID", "PerformedProcedureStepID"), Known.NUMBER),
    "PlacerOrderNumberImagingServiceRequest": Known.NUMBER,
    "FillerOrderNumberImagingServiceRequest": Known.NUMBER,
    "PatientBirthDate": Known.BIRTH_DATE,
    **dict.fromkeys(("InstitutionName", "InstitutionAddress"), Known.INSTITUTION),
    "StationName": Known.STATION,
    **dict.fromkeys(("PatientAddress", "PatientTelephoneNumbers"), Known.CONTACT),
    **dict.fromkeys(("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"), Known.UID),
    **dict.fromkeys(("StudyDate", "SeriesDate", "ContentDate", "AcquisitionDate"), Known.STUDY_DATE),
    "AcquisitionDateTime": Known.STUDY_DATE,
}


def _told(row: Mapping[str, object]) -> Iterator[tuple[str, Known, object]]:
    """Give what a row tells: attribute by attribute, each value of several, and the bytes behind odd ones."""
    for keyword, values in row.items():
        if keyword == "raw":
            for one in values or ():  # type: ignore[attr-defined]  # a list of structs, as the lake has it
                keyword = keyword_for_tag(int(one["tag"][-8:], 16))
                if (kind := _kind(keyword)) is not None:
                    yield keyword, kind, one["value"]
        elif (kind := _kind(keyword)) is not None:
            for value in values if isinstance(values, list | tuple) else [values]:
                yield keyword, kind, value


def _kind(keyword: str) -> Known | None:
    if keyword in _KINDS:
        return _KINDS[keyword]
    tag = tag_for_keyword(keyword)
    return Known.PERSON if tag is not None and dictionary_VR(tag) == "PN" else None


PARTICLES = frozenset(
    (
        *("van", "von", "vom", "der", "den", "das", "ten", "ter", "te", "zu", "zum", "zur", "af", "av", "an", "am"),
        *("de", "del", "della", "dello", "di", "da", "do", "dos", "du", "des", "la", "le", "les", "el", "san", "st"),
        *("al", "bin", "ibn", "ben", "bint", "abu", "y", "e", "i", "und", "and", "of", "the"),
    )
)
"""Words inside of names that name nobody."""

_BETWEEN_WORDS = re.compile(r"[\s\-‐-―.,;:()/\\\"_*+&]+")
_APOSTROPHES = re.compile("['`´’‘ʼʻ]")
_ONE_SIGN_IS_MUCH = "぀"
"""From here on a name of two signs may have four bytes, which are looked for together with the rest of the name."""

_BETWEEN = "[ _/-]?"
"""What people put between the digits of a number."""

LONG_ENOUGH = 5
SAFE_IN_DECIMALS = 7
"""Digits of a number that is believed inside of a decimal or a UID too; shorter ones stand there by chance."""

_SHORTEST_CODE = 3
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


class _Gathered:
    """Gathers identifiers, value by value."""

    def __init__(self, check: CheckRules) -> None:
        self._check = check
        self._ignored = frozenset(fold(word) for word in check.ignore_words)
        self._words: dict[str, Known] = {}
        self._parts: dict[str, Known] = {}
        self._codes: dict[str, Code] = {}
        self._written: dict[str, Known] = {}
        self._raw: dict[bytes, Known] = {}
        self._uids: set[str] = set()
        self._births: set[date] = set()
        self._dates: set[date] = set()

    def identifiers(self) -> Identifiers:
        written, raw = frozenset(self._written.items()), frozenset(self._raw.items())
        return Identifiers(self._words, self._parts, self._codes, written, raw, frozenset(self._uids))

    def add(self, keyword: str, kind: Known, value: object) -> None:
        if kind in self._check.kept:
            return
        if isinstance(value, bytes):
            self._add_bytes(kind, value)
            value = value.decode("ascii", "ignore")
        if isinstance(value, date):
            self._add_date(kind, value.date() if isinstance(value, datetime) else value)
        elif isinstance(value, str) and (text := value.strip(" \0")):
            self._add_text(kind, text)

    def add_dates(self, shift: int | None) -> None:
        """Turn dates into what is looked for: not where another original date was shifted to the same day."""
        for day in self._births:
            self._add_forms(Known.BIRTH_DATE, day)
            self._add_words_for(Known.BIRTH_DATE, day)
        if shift is not None:
            for day in self._dates - {day + timedelta(days=shift) for day in self._dates}:
                self._add_forms(Known.STUDY_DATE, day)

    def _add_bytes(self, kind: Known, value: bytes) -> None:
        parts = re.split(rb"[\^=\\]", value) if kind in (Known.NAME, Known.PERSON) else [value]
        for part in parts:
            bare = part.strip(b" \0")
            if len(bare) >= LONG_ENOUGH and fold(bare.decode("latin-1")) not in self._ignored:
                self._raw[bare] = kind

    def _add_text(self, kind: Known, text: str) -> None:
        match kind:
            case Known.NAME | Known.PERSON:
                for group in text.split("=")[:3]:
                    self._add_name(kind, group)
            case Known.PATIENT_ID | Known.NUMBER:
                self._add_number(kind, text)
            case Known.INSTITUTION | Known.STATION | Known.CONTACT:
                self._add_phrase(kind, text)
            case Known.UID:
                if len(text) >= _UID_BEGINS and not text.startswith("1.2.840.10008."):
                    self._uids.add(text)
            case Known.BIRTH_DATE | Known.STUDY_DATE:
                if found := re.match(r"([0-9]{4})[-./]?([0-9]{2})[-./]?([0-9]{2})", text):
                    with suppress(ValueError):
                        self._add_date(kind, date(*map(int, found.groups())))
            case _:
                assert_never(kind)

    def _add_date(self, kind: Known, day: date) -> None:
        (self._births if kind is Known.BIRTH_DATE else self._dates).add(day)

    def _add_name(self, kind: Known, group: str) -> None:
        """Take one component group: family, given and middle names, without what stands before and after them."""
        components = [_BETWEEN_WORDS.split(component.strip()) for component in group.split("^")[:3]]
        for words in components:
            for word in [word for word in words if fold(word) not in PARTICLES] or words:
                self._add_word(kind, word)
                for piece in _APOSTROPHES.split(word)[1:]:
                    self._add_word(kind, piece)
        family, given = "".join(components[0]), components[1][0] if len(components) > 1 else ""
        if not family or not given or {fold(family), fold(given)} & self._ignored:
            return
        for whole in (family + given, given + family):
            self._add_word(kind, whole)
        if max(weight(family), weight(given)) < LONG_ENOUGH or max(family + given) >= _ONE_SIGN_IS_MUCH:
            for between in (" ", "^", ", ", ",", "_"):
                self._write(kind, f"{family}{between}{given}")
                self._write(kind, f"{given}{between}{family}")

    def _add_word(self, kind: Known, word: str) -> None:
        if any(letter.isdigit() for letter in word):
            self._add_number(kind, word)
            return
        tells = weight(word)
        if tells < 2 or fold(word) in self._ignored:
            return
        for spelled in spellings(word):
            short = tells < LONG_ENOUGH or (spelled.isascii() and len(spelled) < LONG_ENOUGH)
            (self._words if short else self._parts).setdefault(spelled, kind)
        if tells >= LONG_ENOUGH:
            self._write(kind, word)

    def _add_number(self, kind: Known, text: str) -> None:
        bare = re.sub(r"[\W_]", "", fold(text))
        for number in {bare, bare.lstrip("0")}:
            if len(number) >= _SHORTEST_CODE:
                self._add_code(kind, number, _BETWEEN.join(map(re.escape, number)))
                self._write(kind, number)
        self._write(kind, text)

    def _add_phrase(self, kind: Known, text: str) -> None:
        for spelled in spellings(text):
            words = re.findall(r"[^\W_]+", spelled)
            if len(bare := "".join(words)) >= _SHORTEST_CODE and bare not in self._ignored:
                self._add_code(kind, bare, r"[\W_]*".join(map(re.escape, words)))
                self._write(kind, text)

    def _add_code(self, kind: Known, bare: str, pattern: str) -> None:
        before = r"(?<![0-9])0*" if bare[0].isdigit() else ""
        after = r"(?![0-9])" if bare[-1].isdigit() else ""
        if len(bare) < LONG_ENOUGH:
            before, after = r"(?<![^\W_])0*", r"(?![^\W_])"
        elif bare.isdigit() and len(bare) < SAFE_IN_DECIMALS:
            before, after = r"(?<![0-9])(?<![0-9]\.)0*", r"(?![0-9])(?!\.[0-9])"
        self._codes.setdefault(bare, Code(kind, f"{before}{pattern}{after}"))

    def _add_forms(self, kind: Known, day: date) -> None:
        """Take a day in the orders in which people write it with digits."""
        year, month, of_month = f"{day.year:04}", f"{day.month:02}", f"{day.day:02}"
        for parts in ((year, month, of_month), (of_month, month, year), (month, of_month, year)):
            self._add_code(kind, "".join(parts), "[ ./_-]{0,2}".join(parts))
            short = [part.lstrip("0") for part in parts]
            self._codes.setdefault("".join(short), Code(kind, rf"(?<![0-9.]){'[ ./-]'.join(short)}(?![0-9.])"))
            for between in ("", "-", ".", "/", "_"):
                self._write(kind, between.join(parts))

    def _add_words_for(self, kind: Known, day: date) -> None:
        """Take a day with its English month."""
        for month in (_MONTHS[day.month - 1], _MONTHS[day.month - 1][:3]):
            for of_month in {f"{day.day}", f"{day.day:02}"}:
                for parts in ((of_month, month, f"{day.year:04}"), (month, of_month, f"{day.year:04}")):
                    folded = [fold(part) for part in parts]
                    self._add_code(kind, "".join(folded), r"[\W_]{0,2}".join(folded))
                    self._write(kind, " ".join(parts))

    def _write(self, kind: Known, text: str) -> None:
        if len(text.encode("utf-8", "replace")) >= SHORTEST:
            self._written.setdefault(text, kind)
