"""A dataset as text: what people type and read of one, between its bytes and its forms.

A value is the text of DICOM, its parts with backslashes between them; numbers and tags are written out, other bytes in
hexadecimal. So a question and an answer are one kind of value, whatever they were made from. Pure.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from pydicom import charset as tables
from pydicom.datadict import dictionary_has_tag, dictionary_VR

from crawler.decode.charset import ESC, Charset, charset_of, decode_text
from crawler.decode.fallback import elements_with_vrs, items
from crawler.decode.text import CHARSET_VRS
from crawler.dicom import LONG_VRS
from crawler.errors import UserError

SPECIFIC_CHARACTER_SET = 0x00080005
DEEPEST = 16
"""Sequences in sequences: how many there are is in the sender's hands."""

NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d"}
ONE_VALUE = frozenset(("LT", "ST", "UT", "UR"))
"""VRs in which a backslash is a character like others."""
BYTES = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "UN"))
_VRS = CHARSET_VRS | LONG_VRS - {"UN"} | NUMBERS.keys() | {"AE", "AS", "AT", "CS", "DA", "DS", "DT", "IS", "TM", "UI"}
"""VRs that are believed where an answer writes them; UN says nothing."""
_CHOICES = {"US or SS": "US", "OB or OW": "OW", "US or OW": "US", "US or SS or OW": "US"}
_HEADER = struct.Struct("<HHI")
_ITEM = (0xFFFE, 0xE000)


class Field(NamedTuple):
    """One element: its VR, and its text or, of a sequence, its items."""

    vr: str
    value: str | list[Tree]


Tree = dict[int, Field]
"""A dataset: field by tag."""


@cache
def vr_of(tag: int) -> str:
    """Give the VR of a tag by PS3.6; UN for what it does not know, LO for private creators."""
    if tag >> 16 & 1 and 0x10 <= tag & 0xFFFF <= 0xFF:
        return "LO"
    vr = str(dictionary_VR(tag)) if dictionary_has_tag(tag) else "UL" if not tag & 0xFFFF else "UN"
    return _CHOICES.get(vr, vr)


def read_tree(
    data: bytes, *, explicit_vr: bool, meant: Mapping[str, str] | None = None, vrs: Mapping[int, str] | None = None
) -> Tree | None:
    """Read an encoded dataset; None where it cannot be read to its end.

    `meant` says what each declared character set means, '' standing for none; `vrs` the VRs of private tags.
    """
    return _Reader(explicit_vr, meant or {}, vrs or {}).read(data, charset_of((meant or {}).get("", "")))


class _Reader:
    def __init__(self, explicit_vr: bool, meant: Mapping[str, str], vrs: Mapping[int, str]) -> None:
        self._explicit_vr = explicit_vr
        self._meant = meant
        self._vrs = vrs

    def read(self, data: bytes, charset: Charset, depth: int = DEEPEST) -> Tree | None:
        plain = None if self._explicit_vr else _plain_elements(data)
        elements = plain if plain is not None else elements_with_vrs(data, self._explicit_vr)
        if elements is None or not depth:
            return None
        terms = next((value for tag, _, value in elements if tag == SPECIFIC_CHARACTER_SET), b"")
        declared = terms.decode("ascii", "replace").strip(" \0")
        if declared:
            charset = charset_of(self._meant.get(declared, declared))
        tree: Tree = {}
        for tag, written, value in elements:
            vr = written if written in _VRS else self._vrs.get(tag) or vr_of(tag)
            if vr != "SQ":
                tree[tag] = Field(vr, text_of(vr, value, charset))
                continue
            inner = [
                None if one is None else self.read(one, charset, depth - 1) for one in items(value, self._explicit_vr)
            ]
            if None in inner:
                return None
            tree[tag] = Field(vr, [one for one in inner if one is not None])
        return tree


def _plain_elements(data: bytes) -> list[tuple[int, str, bytes]] | None:
    """Read what most answers are, Implicit VR and no undefined length, several times as fast; None for others."""
    found, at, end = list[tuple[int, str, bytes]](), 0, len(data)
    while at < end:
        begin = at + _HEADER.size
        if begin > end:
            return None
        group, number, length = _HEADER.unpack_from(data, at)
        at = begin + length
        if at > end or group == _ITEM[0]:
            return None
        found.append((group << 16 | number, "", data[begin:at]))
    return found


def text_of(vr: str, value: bytes, charset: Charset) -> str:
    """Give the text of an encoded value, without its padding."""
    if vr in NUMBERS:
        layout = struct.Struct("<" + NUMBERS[vr])
        whole = len(value) - len(value) % layout.size
        return "\\".join(str(number) for (number,) in layout.iter_unpack(value[:whole]))
    if vr == "AT":
        pairs = struct.iter_unpack("<HH", value[: len(value) - len(value) % 4])
        return "\\".join(f"({group:04x},{number:04x})" for group, number in pairs)
    if vr in BYTES:
        return "\\".join(f"{byte:02x}" for byte in value)
    value = value.rstrip(b" \0")
    if value.isascii() and ESC not in value:
        return value.decode("ascii")
    return decode_text(value, charset, vr == "PN")[0] if vr in CHARSET_VRS else value.decode("latin-1")


def encode_tree(tree: Tree, *, explicit_vr: bool = False, codecs: tuple[str, ...] | None = None) -> bytes:
    """Encode a dataset, in the character set that it names. Raises UserError for a value that its VR cannot hold."""
    if SPECIFIC_CHARACTER_SET in tree or codecs is None:
        codecs = _codecs(str(tree[SPECIFIC_CHARACTER_SET].value) if SPECIFIC_CHARACTER_SET in tree else "")
    encoded = []
    for tag, (vr, value) in sorted(tree.items()):
        if isinstance(value, str):
            content = bytes_of(tag, vr, value, codecs)
        else:
            inner = (encode_tree(one, explicit_vr=explicit_vr, codecs=codecs) for one in value)
            content = b"".join(_HEADER.pack(*_ITEM, len(item)) + item for item in inner)
        encoded.append(_header(tag, vr, len(content), explicit_vr=explicit_vr) + content)
    return b"".join(encoded)


def bytes_of(tag: int, vr: str, text: str, codecs: tuple[str, ...]) -> bytes:
    """Encode a value, padded to an even length as its VR asks. Raises UserError."""
    try:
        if vr in NUMBERS:
            return b"".join(struct.pack("<" + NUMBERS[vr], _number(vr, part)) for part in _parts(text))
        if vr == "AT":
            tags = (part.strip("()").replace(",", "").rjust(8, "0") for part in _parts(text))
            return b"".join(struct.pack("<HH", int(one[:4], 16), int(one[4:], 16)) for one in tags)
        value = bytes_in(text) if vr in BYTES else _encoded(vr, text, codecs)
    except (ValueError, struct.error, OverflowError):
        wrong = "has characters that its character set lacks" if vr in CHARSET_VRS else f"is none of VR {vr}"
        raise UserError(f"the value of ({tag >> 16:04x},{tag & 0xFFFF:04x}) {wrong}") from None
    return value + (b"\0" if vr == "UI" or vr in BYTES else b" ") if len(value) % 2 else value


def needs_charset(tree: Tree) -> bool:
    """Whether some text is not ASCII."""
    return any(
        not value.isascii() if isinstance(value, str) else any(map(needs_charset, value)) for _, value in tree.values()
    )


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split("\\")] if text else []


def bytes_in(text: str) -> bytes:
    """Read bytes as `text_of` writes them. Raises ValueError."""
    return b"".join(map(_byte, _parts(text)))


def _byte(part: str) -> bytes:
    if len(part) != 2:
        raise ValueError
    return bytes.fromhex(part)


def _number(vr: str, part: str) -> int | float:
    return float(part) if vr in ("FL", "FD") else int(part)


def _codecs(terms: str) -> tuple[str, ...]:
    charset = charset_of(terms)
    if charset.problem:
        raise UserError(f"SpecificCharacterSet={terms} is no character set of DICOM: ISO_IR 192 is UTF-8")
    return charset.codecs


def _encoded(vr: str, text: str, codecs: tuple[str, ...]) -> bytes:
    """Encode text; ValueError where the character set lacks a character."""
    if text.isascii():
        return text.encode("ascii")
    if vr not in CHARSET_VRS:
        raise ValueError
    separators = "\\=^" if vr == "PN" else "\\" if vr not in ONE_VALUE else ""
    return _encoded_parts(text, separators, codecs)


def _encoded_parts(text: str, separators: str, codecs: tuple[str, ...]) -> bytes:
    """Encode what lies between separators by itself, because escape sequences reach no further (PS3.5 6.1.2.5.3)."""
    if separators:
        parts = (_encoded_parts(part, separators[1:], codecs) for part in text.split(separators[0]))
        return separators[0].encode().join(parts)
    if not all(any(_holds(codec, one) for codec in codecs) for one in set(text)):
        raise ValueError
    return tables.encode_string(text, codecs)


def _holds(codec: str, character: str) -> bool:
    try:
        character.encode(codec)
    except UnicodeError:
        return False
    return True


def _header(tag: int, vr: str, length: int, *, explicit_vr: bool) -> bytes:
    group, number = tag >> 16, tag & 0xFFFF
    if not explicit_vr:
        return _HEADER.pack(group, number, length)
    if vr in LONG_VRS:
        return struct.pack("<HH2sHI", group, number, vr.encode(), 0, length)
    if length > 0xFFFF:
        raise UserError(f"the value of ({group:04x},{number:04x}) is longer than Explicit VR can say")
    return struct.pack("<HH2sH", group, number, vr.encode(), length)
