"""Files in which something is hidden: DICOM in every encoding, written here byte by byte, and files beside it."""

from __future__ import annotations

import gzip
import html
import json
import struct
import zlib
from collections.abc import Callable, Sequence
from random import Random

SHORTEST = 5
"""Bytes that are looked for among others."""

Element = tuple[int, str, bytes]

CHARSETS = {
    "ISO_IR 100": "latin-1",
    "ISO_IR 101": "iso8859_2",
    "ISO_IR 109": "iso8859_3",
    "ISO_IR 110": "iso8859_4",
    "ISO_IR 144": "iso8859_5",
    "ISO_IR 127": "iso8859_6",
    "ISO_IR 126": "iso8859_7",
    "ISO_IR 138": "iso8859_8",
    "ISO_IR 148": "iso8859_9",
    "ISO_IR 166": "tis_620",
    "ISO_IR 13": "shift_jis",
    "ISO_IR 192": "utf-8",
    "GB18030": "gb18030",
    "ISO 2022 IR 87": "iso2022_jp_2",
    "ISO 2022 IR 149": "euc_kr",
}
IMPLICIT, EXPLICIT, DEFLATED, BIG = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.2",
)
LONG = ("OB", "OW", "SQ", "UN", "UT", "UC")
TEXTS = (
    *((0x00080080, "LO"), (0x00100010, "PN"), (0x00080050, "SH"), (0x00104000, "LT"), (0x00080081, "ST")),
    *((0x0040A160, "UT"), (0x00180015, "CS"), (0x00080119, "UC"), (0x00321060, "LO"), (0x00080094, "SH")),
)
AROUND = ("", "", "see ", "17 ", "report of ", "(", "a, ")

CLEAN: tuple[Element, ...] = (
    (0x00080005, "CS", b"ISO_IR 100"),
    (0x00080008, "CS", b"ORIGINAL\\PRIMARY\\AXIAL"),
    (0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.2"),
    (0x00080018, "UI", b"2.25.191547549295231138723024306093795451923"),
    (0x00080020, "DA", b"19870302"),
    (0x00080060, "CS", b"CT"),
    (0x00100010, "PN", b"PNT6F9PCHF1CG"),
    (0x00100020, "LO", b"PNT6F9PCHF1CG"),
    (0x00120063, "LO", b"PS3.15 2026c Basic Profile"),
    (0x00180050, "DS", b"1.25"),
    (0x0020000D, "UI", b"2.25.91547549295231138723024306093795451923"),
    (0x00200032, "DS", b"-158.135803\\-179.035797\\-75.699997"),
    (0x00280010, "US", b"\x40\0"),
    (0x00280030, "DS", b"0.661468\\0.661468"),
)


def hide(random: Random, text: str, scattered: bool) -> tuple[bytes, str]:
    """Hide a text in a file, `scattered` also among other bytes; and say how."""
    places: Sequence[Callable[[Random, str], tuple[bytes, str]]] = (_in_element, _nested, _in_file_beside)
    place = random.choice((*places, _among_bytes, _among_bytes) if scattered else places)
    return place(random, text)


def dicom(
    elements: Sequence[Element], syntax: str, preamble: bytes = bytes(128), meta: Sequence[Element] = ()
) -> bytes:
    """Write a DICOM file; a value that begins with an item is a sequence."""
    head = _encoded([(0x00020010, "UI", syntax.encode()), *meta], EXPLICIT)
    body = _encoded(sorted(elements, key=lambda element: element[0]), syntax)
    if syntax == DEFLATED:
        deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        body = deflate.compress(body) + deflate.flush()
    return preamble + b"DICM" + head + body


def _encoded(elements: Sequence[Element], syntax: str) -> bytes:
    return b"".join(_element(*element, syntax) for element in elements)


def _element(tag: int, vr: str, value: bytes, syntax: str) -> bytes:
    order = ">" if syntax == BIG else "<"
    value += (b"\0" if vr in ("UI", "OB", "UN") else b" ") * (len(value) % 2)
    head = struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF)
    if syntax == IMPLICIT:
        return head + struct.pack("<I", len(value)) + value
    if vr in LONG:
        return head + vr.encode() + struct.pack(f"{order}HI", 0, len(value)) + value
    return head + vr.encode() + struct.pack(f"{order}H", len(value)) + value


def _sequence(random: Random, elements: Sequence[Element], syntax: str) -> Element:
    """Wrap elements into the one item of a sequence, of known or of unknown length."""
    order = ">" if syntax == BIG else "<"
    content = _encoded(elements, syntax)
    if random.random() < 0.5:
        return 0x00400275, "SQ", struct.pack(f"{order}HHI", 0xFFFE, 0xE000, len(content)) + content
    end = struct.pack(f"{order}HHI", 0xFFFE, 0xE00D, 0)
    return 0x00400275, "SQ", struct.pack(f"{order}HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + content + end


def _bytes_of(random: Random, text: str) -> tuple[bytes, str]:
    """Encode a text in one of the character sets that have its letters."""
    able = []
    for declared, codec in CHARSETS.items():
        try:
            able.append((text.encode(codec), declared))
        except UnicodeEncodeError:
            continue
    return random.choice(able)


def _text_element(random: Random, text: str) -> tuple[Element, str]:
    value, declared = _bytes_of(random, random.choice(AROUND) + text + random.choice(("", " ", ", left", ")", "_2")))
    tag, vr = random.choice(TEXTS)
    if random.random() < 0.2:
        tag, vr = 0x00291010, random.choice(("LO", "UN", "OB"))
    return (tag, vr, value), f"{vr} in {declared}"


def _in_element(random: Random, text: str) -> tuple[bytes, str]:
    (tag, vr, value), how = _text_element(random, text)
    syntax = random.choice((IMPLICIT, EXPLICIT, EXPLICIT, DEFLATED, BIG))
    others = [element for element in CLEAN if element[0] != tag]
    return dicom([*others, (tag, vr, value)], syntax), f"{how}, {syntax}"


def _nested(random: Random, text: str) -> tuple[bytes, str]:
    element, how = _text_element(random, text)
    syntax, depth = random.choice((IMPLICIT, EXPLICIT, BIG)), random.randint(1, 4)
    for _ in range(depth):
        element = _sequence(random, [element], syntax)
    return dicom([*CLEAN, element], syntax), f"{how}, {depth} deep, {syntax}"


def _among_bytes(random: Random, text: str) -> tuple[bytes, str]:
    """Hide a text in bytes that are no text: private ones, pixels, before and after the dataset, or a value's rest."""
    data, how = random.choice(((text.encode("utf-16-le"), "UTF-16"), _bytes_of(random, text), _bytes_of(random, text)))
    if len(data) < SHORTEST:
        return _in_element(random, text)
    blob = (
        random.randbytes(random.randrange(2, 400)) + b"\0\0" + data + b"\0\0" + random.randbytes(random.randrange(300))
    )
    syntax = random.choice((IMPLICIT, EXPLICIT))
    match random.randrange(6):
        case 0:
            return dicom([*CLEAN, (0x00291010, "OB", blob)], syntax), f"private, {how}"
        case 1:
            return dicom([*CLEAN, (0x7FE00010, "OW", blob)], syntax), f"pixels, {how}"
        case 2:
            return dicom(CLEAN, syntax) + blob, f"after the dataset, {how}"
        case 3:
            return dicom(CLEAN, syntax, preamble=data[:128].ljust(128, b"\0")), f"preamble, {how}"
        case 4:
            return dicom(CLEAN, syntax, meta=[(0x00020102, "OB", blob)]), f"file meta information, {how}"
        case _:
            vr = random.choice(("DA", "IS", "UI", "TM", "AE"))
            return dicom([*CLEAN, (0x00081160, vr, data)], EXPLICIT), f"{vr}, {how}"


def _in_file_beside(random: Random, text: str) -> tuple[bytes, str]:
    said = {"SeriesNumber": 3, "EchoTime": 0.0123456, "Remarks": f"{random.choice(AROUND)}{text}"}
    as_json = json.dumps(said, ensure_ascii=random.random() < 0.5).encode()
    match random.randrange(6):
        case 0:
            return as_json, "JSON"
        case 1:
            return f"participant_id\tage\tnote\nsub-1\t50\t{text}\n".encode(random.choice(("utf-8", "utf-16"))), "TSV"
        case 2:
            return gzip.compress(as_json), "gzip"
        case 3:
            return (
                f"<p title='x'>{html.escape(text).encode('ascii', 'xmlcharrefreplace').decode()}</p>".encode(),
                "HTML",
            )
        case 4:
            return _png(b"zTXt", b"Comment\0\0" + zlib.compress(f" {text} ".encode())), "compressed text of a picture"
        case _:
            return _png(b"iTXt", b"Comment\0\0\0\0\0" + text.encode()), "text of a picture"


def _png(kind: bytes, content: bytes) -> bytes:
    chunk = struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    return b"\x89PNG\r\n\x1a\n" + chunk
