"""A de-identified dataset as the bytes of a file: what was not decoded goes out as it came in. Pure.

pydicom's writer makes the same bytes, at twice the time, since it takes each element through buffers of its own.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, MutableSequence
from io import BytesIO

from pydicom import FileDataset
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.tag import BaseTag
from pydicom.uid import DeflatedExplicitVRLittleEndian
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32

Element = DataElement | RawDataElement

_GROUP_LENGTH = BaseTag(0x0002_0000)
_CHARACTER_SET = 0x0008_0005
"""pydicom decodes it when it reads."""
_UNDEFINED = 0xFFFFFFFF
_IMPLICIT = struct.Struct("<HHI")
_SHORT = struct.Struct("<HH2sH")
_LONG = struct.Struct("<HH2sxxI")


def file_of(dataset: FileDataset) -> bytes:
    """Give the file that a dataset read by pydicom makes, in the transfer syntax that it was read in (PS3.10 7)."""
    elements = dict(dataset.items())
    if not _is_plain(dataset, elements.values()):
        written = BytesIO()
        dataset.save_as(written)
        return written.getvalue()
    meta = b"".join(_elements(dict(dataset.file_meta.items()), "ascii", implicit=False))
    length = _SHORT.pack(2, 0, b"UL", 4) + len(meta).to_bytes(4, "little")
    implicit, characters = dataset.original_encoding[0] is not False, dataset.original_character_set
    body = _elements(elements, characters, implicit=implicit)
    return b"".join((dataset.preamble or bytes(128), b"DICM", length, meta, *body))


def apart(dataset: FileDataset) -> FileDataset:
    """Give a dataset to read in: what is decoded there stays as it came in the one that is written."""
    other = FileDataset("", dict(dataset.items()), file_meta=dataset.file_meta)
    implicit, little = dataset.original_encoding
    other.set_original_encoding(implicit, little, dataset.original_character_set)
    return other


def _is_plain(dataset: FileDataset, elements: Iterable[Element]) -> bool:
    """Say whether all elements are as they were read, but for sequences and the character set."""
    implicit, little = dataset.original_encoding
    syntax = dataset.file_meta.TransferSyntaxUID
    if implicit is None or not little or syntax == DeflatedExplicitVRLittleEndian or implicit != syntax.is_implicit_VR:
        return False
    return all(map(_goes_out, elements))


def _goes_out(element: Element) -> bool:
    if not isinstance(element, RawDataElement):
        return element.VR == "SQ" or element.tag == _CHARACTER_SET
    is_whole = element.length != _UNDEFINED and isinstance(element.value, bytes)
    return is_whole and (element.VR is None or len(element.VR) == 2)


def _elements(
    elements: dict[BaseTag, Element], characters: str | MutableSequence[str], *, implicit: bool
) -> Iterator[bytes]:
    for tag in sorted(elements, key=int):  # tags compare themselves in Python
        element = elements[tag]
        # A group's length is retired (PS3.5 7.2), and wrong by now.
        if tag & 0xFFFF == 0 and (tag >> 16 > 6 or tag == _GROUP_LENGTH):
            continue
        if isinstance(element, RawDataElement):
            yield _header(element, implicit=implicit)
            yield element.value or b""
        else:
            buffer = DicomBytesIO()
            buffer.is_implicit_VR, buffer.is_little_endian = implicit, True
            write_data_element(buffer, element, characters if isinstance(characters, str) else list(characters))
            yield buffer.getvalue()


def _header(element: RawDataElement, *, implicit: bool) -> bytes:
    group, number = element.tag >> 16, element.tag & 0xFFFF
    length = len(element.value or b"")
    if implicit:
        return _IMPLICIT.pack(group, number, length)
    vr = element.VR or "UN"
    if vr in EXPLICIT_VR_LENGTH_32:
        return _LONG.pack(group, number, vr.encode(), length)
    return _SHORT.pack(group, number, vr.encode(), length)
