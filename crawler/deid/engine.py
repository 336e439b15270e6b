"""The engine: what a recipe says, done to one dataset in place, and to every item of every sequence that stays.

What stays is not decoded: it remains the bytes that were read. What changes becomes bytes of ASCII, which are right in
every character set, so that SpecificCharacterSet goes on saying what it said of the others.
Touches: disk (which release this is, once).
"""

from __future__ import annotations

from collections import Counter
from importlib.metadata import version
from typing import NamedTuple

from pydicom import Dataset, FileDataset, Sequence
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from crawler.deid import method, values
from crawler.deid.actions import Actions
from crawler.deid.private import Element, safe
from crawler.deid.pseudonyms import Pseudonyms
from crawler.deid.recipe import Recipe
from crawler.deid.table import NUMBERS, Action, vr_of
from crawler.model import IMPLEMENTATION_UID

_REMOVALS = frozenset((Action.REMOVE, Action.UNKNOWN))
_ODD_GROUP = 0x10000
_SUSPECT = frozenset(("SQ", "PN", "LT", "ST", "UT", "UC", "UR", "DA", "DT"))
"""What is kept has none of these VRs but by the dictionary: who writes one under another tag hides a text or a date."""
_UNREADABLE = (ValueError, TypeError, KeyError, IndexError, AttributeError, NotImplementedError, EOFError, OSError)
"""What pydicom raises on a sequence that is none."""

_NAME, _ID = BaseTag(0x0010_0010), BaseTag(0x0010_0020)
_BIRTH_DATE, _AGE = BaseTag(0x0010_0030), BaseTag(0x0010_1010)
_DAYS = tuple(BaseTag(tag) for tag in (0x0008_0020, 0x0008_0021, 0x0008_0022, 0x0008_0023))
"""Dates of study, series, acquisition and content: the first that is one says how old the patient was."""
_CLASS, _INSTANCE = BaseTag(0x0008_0016), BaseTag(0x0008_0018)
_LENGTH, _VERSION, _MEDIA_CLASS, _MEDIA_INSTANCE = (BaseTag(0x0002_0000 + number) for number in range(4))
_SYNTAX, _IMPLEMENTATION = BaseTag(0x0002_0010), BaseTag(0x0002_0012)
_IN_META = (False, True)
"""File meta information is in Explicit VR Little Endian always (PS3.10 7.1)."""


class _Work(NamedTuple):
    """One dataset's patient, and what was done to it so far."""

    code: str
    days: int
    done: Counter[str]


class Engine:
    """Does what a recipe says to one dataset after the other; nothing of one reaches another."""

    def __init__(self, recipe: Recipe, pseudonyms: Pseudonyms) -> None:
        release = version("pacslake")
        self._actions = Actions(recipe)
        self._options = recipe.options
        self._fixed = recipe.attributes.replace
        self._pseudonyms = pseudonyms
        self._made: dict[tuple[int, bytes, str] | None, RawDataElement] = {}
        """By tag, value of ASCII and the patient's code: files of a series say the same for the most part."""
        both = (True, False)
        self._told = {(vr, order): method.elements(recipe, release, (vr, order)) for vr in both for order in both}

    def apply(self, dataset: FileDataset, patient: str) -> Counter[str]:
        """De-identify in place, file meta information and preamble too, and count what was done, by `Action`.

        `patient` is the ID by which the patient has a code and a shift, as `Pseudonyms.patient` wants it; the dataset's
        own is not looked at. What pydicom raises on bytes that are no DICOM, or sequences nested hundreds deep, passes
        through: the dataset is then changed in part, and for nobody.
        """
        work = _Work(self._pseudonyms.patient(patient), self._pseudonyms.days(patient), Counter())
        age = _age(dataset) if self._options.retain_patient_characteristics else ""
        self._clean(dataset, work)
        code = work.code.encode("ascii")
        told = [method.raw(_NAME, "PN", code), method.raw(_ID, "LO", code), *self._told[_encoding(dataset)]]
        if age:
            told.append(method.raw(_AGE, "AS", age.encode("ascii")))
        for element in told:
            dataset[element.tag] = element
        self._write_meta(dataset)
        return work.done

    def _clean(self, dataset: Dataset, work: _Work) -> None:
        elements = list(dataset.values())
        private = safe(elements) if self._options.retain_safe_private else frozenset()
        for element in elements:
            tag = int(element.tag)
            if tag & _ODD_GROUP:
                if tag not in private:
                    del dataset[element.tag]
                    work.done[Action.PRIVATE] += 1
                continue
            action = self._actions[tag]
            if action is Action.KEEP and element.VR not in _SUSPECT:
                continue
            if action not in _REMOVALS and _disguised(element, action):
                action = Action.UNKNOWN
            if action is Action.KEEP:
                continue
            if action in _REMOVALS or (action is Action.ITEMS and not self._clean_items(dataset, element, work)):
                del dataset[element.tag]
                action = Action.UNKNOWN if action is Action.ITEMS else action
            elif action is not Action.ITEMS:
                self._replace(dataset, element, action, work)
            work.done[action] += 1

    def _clean_items(self, dataset: Dataset, element: Element, work: _Work) -> bool:
        """Clean the items of a sequence; False where it cannot be read as one."""
        if isinstance(element, RawDataElement) and element.VR == "UN":
            # Who did not know the VR passed the value on in Implicit VR Little Endian (PS3.5 6.2.2).
            dataset[element.tag] = element._replace(VR="SQ", is_implicit_VR=True, is_little_endian=True)
        try:
            items = dataset[element.tag].value
        except _UNREADABLE:
            return False
        if not isinstance(items, Sequence):
            return False
        for item in items:
            self._clean(item, work)
        return True

    def _replace(self, dataset: Dataset, element: Element, action: Action, work: _Work) -> None:
        tag, value = element.tag, element.value
        if vr_of(tag) == "SQ":
            items = method.dummy_items(tag) if action is Action.DUMMY and value else []
            dataset[tag] = DataElement(tag, "SQ", items)
            return
        known = (int(tag), value, work.code) if isinstance(value, bytes) and value.isascii() else None
        if (made := self._made.get(known)) is None:
            made = self._new(dataset, element, action, work)
            if known:
                self._made[known] = made
        dataset[tag] = made

    def _new(self, dataset: Dataset, element: Element, action: Action, work: _Work) -> RawDataElement:
        tag = element.tag
        vr = vr_of(tag)
        if action is Action.DUMMY:
            return method.raw(tag, vr, values.dummy(vr) if element.value else b"")
        return method.raw(tag, vr, self._text(dataset, element, action, work).encode("ascii", "replace"))

    def _text(self, dataset: Dataset, element: Element, action: Action, work: _Work) -> str:
        """Give the new text of an attribute."""
        text = _bare(element)
        match action:
            case Action.PATIENT:
                return work.code
            case Action.FIXED:
                return self._fixed[int(element.tag)]
            case Action.UID:
                return values.each(self._pseudonyms.uid, text)
            case Action.SHIFT:
                return values.each(values.shifted(vr_of(element.tag), work.days), text)
            case Action.TIME:
                return values.each(values.kept_time, text)
            case Action.AGE:
                return values.each(values.capped_age, text)
            case Action.CODE:
                # In its character set: elsewhere the same number is text, and must get the same code.
                known = text if text.isascii() else str(dataset[element.tag].value)
                return self._pseudonyms.code(NUMBERS[int(element.tag)], known)
            case _:
                return ""

    def _write_meta(self, dataset: FileDataset) -> None:
        """Leave of file meta information and preamble what readers need (PS3.10 7.1), made up where it lacked."""
        old = {int(tag): _bare(element) for tag, element in dataset.file_meta.items()}
        implicit, little = _encoding(dataset)
        plain = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        named = old.get(_MEDIA_INSTANCE)
        uids = {
            _MEDIA_CLASS: old.get(_MEDIA_CLASS) or _bare(dataset.get_item(_CLASS)),
            _MEDIA_INSTANCE: self._pseudonyms.uid(named) if named else _bare(dataset.get_item(_INSTANCE)),
            _SYNTAX: old.get(_SYNTAX) or plain,
            _IMPLEMENTATION: IMPLEMENTATION_UID,
        }
        told = [method.raw(tag, "UI", uid.encode("ascii", "replace"), _IN_META) for tag, uid in uids.items()]
        told.append(method.raw(_VERSION, "OB", b"\0\1", _IN_META))
        told.append(method.raw(_LENGTH, "UL", bytes(4), _IN_META))  # whoever writes it counts
        dataset.file_meta = FileMetaDataset({element.tag: element for element in told})
        dataset.preamble = bytes(128)


def _encoding(dataset: Dataset) -> tuple[bool, bool]:
    """Say whether a dataset was read in Implicit VR, and in little endian; one that was never read counts as both."""
    implicit, little = dataset.original_encoding
    return implicit is not False, little is not False


def _disguised(element: Element, action: Action) -> bool:
    """Say whether a file gives an element a VR that lets it hold what its tag cannot."""
    vr, known = element.VR, vr_of(element.tag)
    if vr is None or vr == "UN" or vr == known:
        return False
    return vr == "SQ" or known == "SQ" or action is Action.KEEP


def _bare(element: Element | Dataset | None) -> str:
    """Give the text of an element without its padding; bytes as Latin-1, since those that matter are ASCII."""
    value = getattr(element, "value", None)
    if isinstance(value, bytes):
        return value.decode("latin-1").strip(" \0")
    if isinstance(value, MultiValue):
        return "\\".join(map(str, value))
    return "" if value is None else str(value)


def _age(dataset: Dataset) -> str:
    """Give the age that the patient's dates make, where the dataset has none."""
    if _AGE in dataset and _bare(dataset.get_item(_AGE)):
        return ""
    birth = _bare(dataset.get_item(_BIRTH_DATE))
    return next((age for tag in _DAYS if (age := values.age_between(birth, _bare(dataset.get_item(tag))))), "")
