"""What a dataset says of each of its files: typed columns, read from the de-identified file alone. Pure.

Nothing but the list below is ever read. A value that is malformed is null, as one that is missing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pydicom.dataelem import RawDataElement

if TYPE_CHECKING:
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset

_TEXTS, _NUMBERS = pa.list_(pa.string()), pa.list_(pa.float64())
_KEYWORDS: dict[str, pa.DataType] = {
    **dict.fromkeys(("PatientID", "PatientSex"), pa.string()),
    **dict.fromkeys(("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"), pa.string()),
    "FrameOfReferenceUID": pa.string(),
    "StudyDate": pa.date32(),
    "AcquisitionTime": pa.time64("us"),
    **dict.fromkeys(("SeriesNumber", "InstanceNumber", "AcquisitionNumber"), pa.int64()),
    **dict.fromkeys(("Modality", "BodyPartExamined", "Laterality"), pa.string()),
    **dict.fromkeys(("StudyDescription", "SeriesDescription", "ProtocolName"), pa.string()),
    **dict.fromkeys(("Manufacturer", "ManufacturerModelName", "ConvolutionKernel"), pa.string()),
    **dict.fromkeys(("MagneticFieldStrength", "KVP", "SliceThickness", "SpacingBetweenSlices"), pa.float64()),
    **dict.fromkeys(("RepetitionTime", "EchoTime", "InversionTime", "FlipAngle", "DiffusionBValue"), pa.float64()),
    **dict.fromkeys(("SequenceName", "MRAcquisitionType", "ContrastBolusAgent"), pa.string()),
    **dict.fromkeys(("ImageType", "ScanningSequence", "SequenceVariant"), _TEXTS),
    **dict.fromkeys(("Rows", "Columns", "NumberOfFrames", "BitsStored", "SamplesPerPixel"), pa.int64()),
    **dict.fromkeys(("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient"), _NUMBERS),
    **dict.fromkeys(("PhotometricInterpretation", "BurnedInAnnotation"), pa.string()),
}
FACTS: pa.Schema = pa.schema([*_KEYWORDS.items(), ("age", pa.float64()), ("transfer_syntax", pa.string())])
"""DICOM keywords; `age` is PatientAge in years, `transfer_syntax` what the file is encoded in."""
FILES: pa.Schema = pa.schema([("path", pa.string()), *FACTS])
"""A dataset's table of files: where each lies below its folder, with `/`, and its facts."""

_YEARS = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}
"""By the unit of an Age String (PS3.5 6.2)."""
_SHARED_GROUPS, _FRAME_GROUPS = 0x52009229, 0x52009230
_BYTES_OF_US = 2
_PLAIN = frozenset(("AS", "CS", "DA", "DS", "IS", "LO", "SH", "TM", "UI"))
_MALFORMED = (ValueError, TypeError, OverflowError, AttributeError, KeyError, IndexError, NotImplementedError)


def facts_of(dataset: Dataset) -> dict[str, Any]:
    """Give the facts of one file, a value or None for each column of `FACTS`."""
    facts: dict[str, Any] = dict.fromkeys(FACTS.names)
    names = _names()
    for holder in (*reversed([*_functional_groups(dataset)]), dataset):  # what the dataset itself says counts
        elements = {int(tag): element for tag, element in holder.items()}
        for tag in names.keys() & elements.keys():
            facts[names[tag]] = _read(holder, elements[tag], names[tag])
    meta = getattr(dataset, "file_meta", None)
    facts["transfer_syntax"] = None if meta is None else _text(meta.get("TransferSyntaxUID", ""))
    return facts


@cache
def _names() -> dict[int, str]:
    from pydicom.tag import Tag

    return {int(Tag(keyword)): keyword for keyword in _KEYWORDS} | {int(Tag("PatientAge")): "age"}


def _read(holder: Dataset, element: DataElement | RawDataElement, name: str) -> Any:
    """Give the value of an attribute; plain texts and numbers are read here, in a fifth of pydicom's time."""
    try:
        value = element.value
        if isinstance(value, bytes):
            if element.VR in _PLAIN and value.isascii():
                return _read_text(value, name)
            if isinstance(element, RawDataElement) and element.VR == "US" and len(value) == _BYTES_OF_US:
                return int.from_bytes(value, "little" if element.is_little_endian else "big")
        return _converted(holder[element.tag].value, name)
    except _MALFORMED:
        return None


@lru_cache(4096)
def _read_text(text: bytes, name: str) -> Any:
    """Give the value that a text has; most of them stand in all files of a series."""
    several = [one.strip(" \0") for one in text.decode("ascii").split("\\")]
    return _converted(several if len(several) > 1 else several[0], name)


def _converted(value: Any, name: str) -> Any:
    if value is None or value == "":
        return None
    several = list(value) if _is_several(value) else [value]
    kind = FACTS.field(name).type
    if pa.types.is_list(kind):
        return [_CONVERTED[kind.value_type](one) for one in several] or None
    convert = _age if name == "age" else _CONVERTED[kind]
    return convert(several[0]) if several and several[0] is not None else None  # ConvolutionKernel may have several


def _functional_groups(dataset: Dataset) -> Iterator[Dataset]:
    """Give where an enhanced object keeps what its frames share, and what the first of them has (PS3.3 C.7.6.16)."""
    for tag in (_SHARED_GROUPS, _FRAME_GROUPS):
        try:
            groups = dataset[tag].value[0] if tag in dataset else []
            yield from (element.value[0] for element in groups if element.VR == "SQ" and element.value)
        except _MALFORMED:
            continue


def _is_several(value: Any) -> bool:
    return not isinstance(value, str) and hasattr(value, "__len__")


def _age(value: Any) -> float | None:
    found = re.fullmatch(r"(\d{1,3})([DWMY])", str(value).strip())
    return round(int(found[1]) * _YEARS[found[2]], 2) if found else None


def _text(value: Any) -> str | None:
    return str(value).strip() or None


def _number(value: Any) -> float | None:
    number = float(value)
    return number if abs(number) < float("inf") else None


def _integer(value: Any) -> int | None:
    number = int(float(str(value)))
    return number if -(2**63) <= number < 2**63 else None


def _date(value: Any) -> date:
    return datetime.strptime(str(value).strip(), "%Y%m%d").date()


def _time(value: Any) -> time:
    text = str(value).strip()
    return time(int(text[:2]), int(text[2:4] or 0), int(text[4:6] or 0), int((text[7:] + "000000")[:6]))


_CONVERTED: dict[pa.DataType, Callable[[Any], Any]] = {
    pa.string(): _text,
    pa.float64(): _number,
    pa.int64(): _integer,
    pa.date32(): _date,
    pa.time64("us"): _time,
}
