"""May pixels leave without a look? They may show what no header tells: a name that a scanner or workstation burned in.

What is not known to be clean is kept back. An image is released when it says of itself that nothing is burned in, or
when it is of a sort in which scanners burn nothing in; captures of screens, ultrasound, photographs and colours are
not believed when they deny it. Objects that are no images stay out, unless a recipe asks for them. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

from crawler.deid.kinds import OF_MODALITY, SEEN, STORAGE, Kind, called, kind_of

SUSPICIOUS_TYPES = (
    *("SCREEN", "SAVE", "CAPTURE", "SNAPSHOT", "HARDCOPY", "SCANNED", "INVALID", "REPORT", "DOSE", "PROT"),
    *("TABLE", "GRAPH", "POSDISP", "VOLREN", "RENDERED", "FUSED", "FUSION"),
)
"""Words in the ImageType of pages, pictures and renderings into which scanners and workstations write text."""

SHOWS_TEXT = frozenset(
    ("US", "IVUS", "EC", "CD", "DD", "XC", "ES", "GM", "SM", "OP", "OPT", "OPM", "OPTBSV", "OPTENF", "DMS", "HC")
)
"""Modalities, retired ones too, of ultrasound, cameras and film: their pictures bear text more often than they say."""

VIDEO = ("1.2.840.10008.1.2.4.10", "1.2.840.10008.1.2.7.")
ELSEWHERE = ("1.2.840.10008.1.2.4.94", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.204", "1.2.840.10008.1.2.4.205")

CAPTURED_BY = (
    "ConversionType",
    "SecondaryCaptureDeviceID",
    "SecondaryCaptureDeviceManufacturer",
    "SecondaryCaptureDeviceManufacturerModelName",
    "SecondaryCaptureDeviceSoftwareVersions",
    "DateOfSecondaryCapture",
    "HardcopyCreationDeviceID",
    "DigitalImageFormatAcquired",
)
"""Attributes of the SC Equipment and SC Image modules (PS3.3 C.8.6): who has one was captured or digitised."""

Included = Literal[
    "documents",
    "reports",
    "key_objects",
    "presentation_states",
    "waveforms",
    "segmentations",
    "registrations",
    "radiotherapy",
    "other",
    "video",
]


_OF_GAMMA_CAMERAS = (
    *("STATIC", "DYNAMIC", "GATED", "WHOLE BODY"),
    *("TOMO", "GATED TOMO", "RECON TOMO", "RECON GATED TOMO"),
)
"""Value 3 of ImageType in NM (PS3.3 C.8.4.9.1.1)."""


def _modality(text: str) -> str:
    if not re.fullmatch(r"[A-Z0-9_ ]{1,16}", text):
        raise ValueError("must be a value of Modality, as 'CT'")
    return text


Modality = Annotated[str, AfterValidator(_modality)]


class PixelRules(BaseModel):
    """`[pixels]` of a recipe: what is released without a look, and what besides images goes along."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    allow: dict[Modality, Annotated[tuple[str, ...], Field(strict=False)]] = {
        "CT": (r"ORIGINAL\PRIMARY\AXIAL", r"ORIGINAL\PRIMARY\VOLUME"),
        "MR": (r"ORIGINAL\PRIMARY", r"DERIVED\PRIMARY"),
        "PT": (r"ORIGINAL\PRIMARY",),
        "NM": tuple(rf"ORIGINAL\PRIMARY\{what}" for what in _OF_GAMMA_CAMERAS),
    }
    """By modality, with what ImageType has to begin where an image does not say whether something is burned in."""
    suspicious_types: Annotated[tuple[str, ...], Field(strict=False)] = SUSPICIOUS_TYPES
    """Words of ImageType that keep an image back, whatever else it says."""
    believe_burned_in_no: bool = False
    """Believe BurnedInAnnotation NO of captures, ultrasound, photographs and colours too."""
    include: Annotated[frozenset[Included], Field(strict=False)] = frozenset()
    """Kinds of objects, besides images, that go along. Documents and video then wait for a look."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why an object does not leave now: `excluded` is left out, `quarantined` waits for a person who looks at it."""

    kind: Literal["excluded", "quarantined"]
    reason: str
    """One sentence on attributes and coded values, without any text of the file: for reports and logs too."""


_CODED = ("CS", "UI")
_OVERLAYS = frozenset(range(0x6000, 0x6020, 2))
"""Groups of overlays (PS3.5 7.6)."""


class _Unreadable(Exception):
    """An attribute that decides has a value that cannot be read."""


def judge(dataset: Dataset, pixels: PixelRules) -> Verdict | None:
    """Say whether an object as it came, before anything is taken out of it, has to stay; None lets it go."""
    try:
        kind = _kind(dataset)
        if kind is None or kind in SEEN:
            return _by_syntax(dataset, pixels) or _by_pixels(dataset, pixels)
        return _by_kind(dataset, kind, pixels)
    except _Unreadable as unreadable:
        return Verdict("quarantined", f"{unreadable} cannot be read.")


def may_show_face(dataset: Dataset) -> bool:
    """Say whether an image declares that a face could be recognised in it (RecognizableVisualFeatures)."""
    try:
        return "YES" in _values(dataset, "RecognizableVisualFeatures")
    except _Unreadable:
        return True


def _kind(dataset: Dataset) -> Kind | None:
    """Give the kind of an object, None for images of a class that the standard does not know."""
    if "EncapsulatedDocument" in dataset:
        return Kind.DOCUMENT
    kind = kind_of(_one(dataset, "SOPClassUID"))
    return Kind.OTHER if kind is None and not _has_pixels(dataset) else kind


def _by_kind(dataset: Dataset, kind: Kind, pixels: PixelRules) -> Verdict | None:
    """Leave out what nobody looks at as a picture."""
    what = f"SOPClassUID is {called(_one(dataset, 'SOPClassUID'))}"
    if kind not in pixels.include:
        return Verdict("excluded", f"{what}, and the recipe does not include {kind}.")
    if kind is Kind.DOCUMENT:
        return Verdict("quarantined", f"{what}: nothing takes names out of documents.")
    return None


def _by_syntax(dataset: Dataset, pixels: PixelRules) -> Verdict | None:
    """Leave out films, and images whose pixels lie elsewhere."""
    syntax = _one(getattr(dataset, "file_meta", Dataset()), "TransferSyntaxUID")
    if syntax in ELSEWHERE:
        return Verdict("excluded", f"TransferSyntaxUID is {called(syntax)}: the pixels are not in the file.")
    if not syntax.startswith(VIDEO):
        return None
    if "video" not in pixels.include:
        return Verdict("excluded", f"TransferSyntaxUID is {called(syntax)}, and the recipe does not include video.")
    return Verdict("quarantined", f"TransferSyntaxUID is {called(syntax)}: any frame may show a name.")


def _by_pixels(dataset: Dataset, pixels: PixelRules) -> Verdict | None:
    declared = _values(dataset, "BurnedInAnnotation")
    if "YES" in declared:
        return Verdict("quarantined", "BurnedInAnnotation is YES.")
    if reason := _drawn_in(dataset):
        return Verdict("quarantined", reason)
    denied = declared == ("NO",)
    if reason := _not_believed(dataset, pixels):
        if denied and pixels.believe_burned_in_no:
            return None
        beside = "; BurnedInAnnotation is NO, which such images are not believed" if denied else ""
        return Verdict("quarantined", f"{reason}{beside}.")
    if denied:
        return None
    reason = _not_allowed(dataset, pixels)
    return Verdict("quarantined", f"BurnedInAnnotation is not NO, and {reason}.") if reason else None


def _drawn_in(dataset: Dataset) -> str:
    """Find an overlay in unused bits of the pixels (retired, PS3.3 C.9.2): it stays when its attributes are gone."""
    for group in {tag >> 16 for tag in dataset.keys()} & _OVERLAYS:  # noqa: SIM118  # items would be decoded
        if _number(dataset, group << 16 | 0x0102) or _number(dataset, group << 16 | 0x0100) not in (0, 1):
            return "OverlayBitPosition says that an overlay lies in the pixels."
    return ""


def _not_believed(dataset: Dataset, pixels: PixelRules) -> str:
    """Say why an image would not be believed that nothing is burned in."""
    sop_class, modality = _one(dataset, "SOPClassUID"), _one(dataset, "Modality")
    kind = kind_of(sop_class)
    if kind is not Kind.IMAGE:
        return f"SOPClassUID is {called(sop_class)}"
    for keyword in CAPTURED_BY:
        if any(_values(dataset, keyword)):
            return f"{keyword} has a value, as in secondary captures"
    if modality in SHOWS_TEXT:
        return f"Modality is {modality}"
    words = {word for one in _values(dataset, "ImageType") for word in (one, *re.split(r"[ _]", one))}
    if suspicious := next((word for word in pixels.suspicious_types if word in words), ""):
        return f"ImageType has {suspicious}"
    if _number(dataset, 0x00280002) not in (0, 1):
        return "SamplesPerPixel is not 1: scanners of this kind see no colours"
    photometric = _one(dataset, "PhotometricInterpretation")
    if photometric not in ("", "MONOCHROME1", "MONOCHROME2"):
        return "PhotometricInterpretation is not MONOCHROME1 or MONOCHROME2: scanners of this kind see no colours"
    return ""


def _not_allowed(dataset: Dataset, pixels: PixelRules) -> str:
    """Say why an image that does not declare anything is not on the recipe's list."""
    modality = _one(dataset, "Modality")
    if (begin := pixels.allow.get(modality)) is None:
        known = modality if modality in OF_MODALITY else "another"
        return f"Modality is {known}, of which the recipe allows no image without a look"
    end = _one(dataset, "SOPClassUID").removeprefix(STORAGE)
    if modality in OF_MODALITY and end not in OF_MODALITY[modality]:
        return f"SOPClassUID is none in which scanners of Modality {modality} send images"
    types = "\\".join(_values(dataset, "ImageType"))
    if not any(f"{types}\\".startswith(f"{one}\\") for one in begin):
        return f"ImageType does not begin with {' or '.join(begin)}"
    return ""


def _has_pixels(dataset: Dataset) -> bool:
    return any(keyword in dataset for keyword in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"))


def _one(dataset: Dataset, keyword: str) -> str:
    return "\\".join(_values(dataset, keyword))


def _values(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """Give the values of a coded attribute, in capitals and without padding, whatever their number."""
    tag = _tag(keyword)
    if tag not in dataset:
        return ()
    try:
        element: DataElement | RawDataElement = dataset.get_item(tag)
        raw = element.value if isinstance(element, RawDataElement) and element.VR in _CODED else None
        if isinstance(raw, bytes) and raw.isascii():
            return _coded(raw)  # in a fifth of pydicom's time
        value: Any = dataset[tag].value
    except Exception:  # whatever pydicom meets there; its message holds the value
        raise _Unreadable(keyword) from None
    if value is None or value == "":
        return ()
    return _capitals([value] if isinstance(value, str | bytes | int | float) else value)


@lru_cache(1024)
def _coded(raw: bytes) -> tuple[str, ...]:
    """Give the values of an attribute; most of them stand in all files of a series."""
    text = raw.decode("ascii").strip(" \0")
    return _capitals(text.split("\\")) if text else ()


def _capitals(values: Iterable[object]) -> tuple[str, ...]:
    return tuple(str(one).strip(" \0").upper() for one in values)


@cache
def _tag(keyword: str) -> BaseTag:
    return Tag(keyword)


def _number(dataset: Dataset, tag: int) -> int:
    """Give the value of an attribute with one number, 0 without one."""
    try:
        return int(dataset[tag].value or 0) if tag in dataset else 0
    except Exception:  # whatever pydicom meets there; its message holds the value
        raise _Unreadable(keyword_for_tag(tag) or "An overlay") from None
