"""What a de-identified dataset says of how it came about (PS3.3 C.7.1.1), as elements ready to write. Pure."""

from __future__ import annotations

import struct

from pydicom import Dataset
from pydicom.datadict import dictionary_keyword
from pydicom.dataelem import RawDataElement
from pydicom.tag import BaseTag

from crawler.deid.recipe import Recipe
from crawler.deid.values import padded

BASIC_PROFILE = ("113100", "Basic Application Confidentiality Profile")
OPTION_CODES = {
    "retain_modified_dates": ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    "retain_patient_characteristics": ("113108", "Retain Patient Characteristics Option"),
    "retain_device_identity": ("113109", "Retain Device Identity Option"),
    "retain_safe_private": ("113111", "Retain Safe Private Option"),
    "clean_descriptors": ("113105", "Clean Descriptors Option"),
}
"""CID 7050 (PS3.16), by the recipe's word."""

_LONGEST = 64
"""Characters of LO."""


def statements(recipe: Recipe, release: str) -> tuple[str, ...]:
    """Give the values of DeidentificationMethod: by what, by which rules, and what is kept against them."""
    against = [f"kept against the profile: {name}"[:_LONGEST] for name in recipe.kept_against_profile]
    return (
        f"pacslake {release}"[:_LONGEST],
        f"recipe {recipe.name} {recipe.version}",
        f"PS3.15 {recipe.profile} Basic Profile",
        *against,
    )


def elements(recipe: Recipe, release: str, encoding: tuple[bool, bool]) -> tuple[RawDataElement, ...]:
    """Give the elements that every dataset of a recipe gets, for an encoding (Implicit VR, little endian)."""
    codes = [BASIC_PROFILE, *(OPTION_CODES[name] for name, on in recipe.options if on)]
    items = b"".join(_item(code, meaning, encoding) for code, meaning in codes)
    dates = "MODIFIED" if recipe.options.retain_modified_dates else "REMOVED"
    told = (
        (0x0012_0062, "CS", b"YES"),
        (0x0012_0063, "LO", "\\".join(statements(recipe, release)).encode("ascii")),
        (0x0012_0064, "SQ", items),
        (0x0028_0303, "CS", dates.encode("ascii")),
    )
    return tuple(raw(BaseTag(tag), vr, value, encoding) for tag, vr, value in told)


def raw(tag: BaseTag, vr: str, value: bytes, encoding: tuple[bool, bool] = (True, True)) -> RawDataElement:
    """Give an element as if it had been read so; texts are padded, and are the same in every encoding."""
    value = padded(value, b"\0" if vr == "UI" else b" ")
    return RawDataElement(tag, vr, len(value), value, 0, *encoding)


def dummy_items(tag: int) -> list[Dataset]:
    """Give the item of a sequence that must have one and may tell nothing."""
    item = Dataset()
    if dictionary_keyword(tag).endswith("CodeSequence"):
        _add_code(item)
    elif dictionary_keyword(tag) == "ContentSequence":
        item.RelationshipType, item.ValueType, item.TextValue = "CONTAINS", "TEXT", "REMOVED"
        concept = Dataset()
        _add_code(concept)
        item.ConceptNameCodeSequence = [concept]
    elif dictionary_keyword(tag) == "VerifyingObserverSequence":
        item.VerifyingOrganization, item.VerificationDateTime = "REMOVED", "19000101000000"
        item.VerifyingObserverName, item.VerifyingObserverIdentificationCodeSequence = "REMOVED", []
    return [item]


def _add_code(item: Dataset) -> None:
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "REMOVED", "99PACSLAKE", "Removed"


def _item(code: str, meaning: str, encoding: tuple[bool, bool]) -> bytes:
    values = ((0x0100, "SH", code), (0x0102, "SH", "DCM"), (0x0104, "LO", meaning))
    body = b"".join(_encoded(element, vr, padded(text.encode("ascii")), encoding) for element, vr, text in values)
    return struct.pack("<HHI" if encoding[1] else ">HHI", 0xFFFE, 0xE000, len(body)) + body


def _encoded(element: int, vr: str, value: bytes, encoding: tuple[bool, bool]) -> bytes:
    implicit, little = encoding
    order = "<" if little else ">"
    if implicit:
        return struct.pack(f"{order}HHI", 0x0008, element, len(value)) + value
    return struct.pack(f"{order}HH2sH", 0x0008, element, vr.encode("ascii"), len(value)) + value
