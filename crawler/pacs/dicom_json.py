"""DICOM JSON (PS3.18 F) as encoded datasets, so that `decode` stays the one home of typing.

Any JSON gives a dataset: what is not DICOM JSON becomes a value that its VR does not allow, which decoding records as
a fault. Numbers keep their digits, because they are read as text. Pure.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from pydicom.valuerep import format_number_as_ds

from crawler.dicom import NAME_GROUPS, UTF_8
from crawler.errors import ProtocolError
from crawler.model import Identifiers

Dataset = Mapping[str, Any]
"""One dataset of DICOM JSON: elements by their tags, eight hexadecimal digits each."""

_UTF_8 = {"00080005": {"vr": "CS", "Value": [UTF_8]}}
"""JSON is UTF-8, whatever a server copies into SpecificCharacterSet."""
_TAG = re.compile(r"[0-9A-Fa-f]{8}")
_ITEM = b"\xfe\xff\x00\xe0"
_INTEGERS = {"US": "<H", "SS": "<h", "UL": "<L", "SL": "<l", "UV": "<Q", "SV": "<q"}
_REALS = {"FL": "<f", "FD": "<d"}
_LONGEST_DECIMAL = 16


def read_datasets(body: bytes) -> list[Dataset]:
    """Read the answer to a search. ProtocolError where it is no list of datasets."""
    try:
        found = json.loads(body, parse_int=str, parse_float=str) if body.strip() else []
    except (ValueError, RecursionError):
        raise ProtocolError("the answer is not JSON") from None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ProtocolError("the answer is not a list of DICOM JSON datasets")
    return found


def first_value(dataset: Dataset, tag: int) -> str:
    """Give the first value of an element as text; '' where there is none."""
    element = dataset.get(f"{tag:08X}")
    values = element.get("Value") if isinstance(element, dict) else None
    return str(values[0]) if isinstance(values, list) and values else ""


def encode_datasets(datasets: Sequence[Dataset]) -> Identifiers:
    """Encode datasets as Implicit VR little endian, in UTF-8."""
    return Identifiers.of([_encoded({**dataset, **_UTF_8}) for dataset in datasets])


def _encoded(dataset: Dataset) -> bytes:
    elements = {int(tag, 16): element for tag, element in dataset.items() if _TAG.fullmatch(tag)}
    return b"".join(_element(tag, elements[tag]) for tag in sorted(elements) if isinstance(elements[tag], dict))


def _element(tag: int, element: Mapping[str, Any]) -> bytes:
    vr = str(element.get("vr", ""))
    value = _value(vr, element)
    if len(value) % 2:
        value += b"\0" if vr in ("UI", "OB", "UN") else b" "
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value)) + value


def _value(vr: str, element: Mapping[str, Any]) -> bytes:
    if "InlineBinary" in element:
        try:
            return base64.b64decode(str(element["InlineBinary"]))
        except (binascii.Error, ValueError):
            return b""
    values = element.get("Value")
    if not isinstance(values, list):
        return b""
    if vr == "SQ":
        items = (_encoded(item) for item in values if isinstance(item, dict))
        return b"".join(_ITEM + struct.pack("<L", len(item)) + item for item in items)
    if vr in _INTEGERS or vr in _REALS or vr == "AT":
        return b"".join(_number(vr, value) for value in values)
    texts = map(_decimal if vr == "DS" else _text, values)
    return "\\".join(texts).encode("utf-8", "surrogatepass")


def _number(vr: str, value: object) -> bytes:
    try:
        if vr == "AT":
            tag = int(str(value), 16)
            return struct.pack("<HH", tag >> 16, tag & 0xFFFF)
        return (
            struct.pack(_INTEGERS[vr], int(str(value)))
            if vr in _INTEGERS
            else struct.pack(_REALS[vr], float(str(value)))
        )
    except (ValueError, OverflowError, struct.error):
        return b""


def _decimal(value: object) -> str:
    """Give a DS value in the 16 characters that it may have (PS3.5 6.2); servers print doubles in 17 digits."""
    text = _text(value)
    try:
        return text if len(text) <= _LONGEST_DECIMAL else format_number_as_ds(float(text))
    except ValueError:
        return text


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):  # a person name (PS3.18 F.2.2), by its component groups
        return "=".join(str(value.get(group) or "") for group in NAME_GROUPS).rstrip("=")
    return str(value)
