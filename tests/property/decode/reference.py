"""What decode must give, one dataset at a time and written the plain way: parsed and decoded to text by pydicom."""

from __future__ import annotations

import io
import re
import struct
import warnings
from datetime import date, datetime, time
from fractions import Fraction
from typing import Any

from pydicom import charset as pydicom_charset
from pydicom import config
from pydicom.dataelem import RawDataElement
from pydicom.filereader import data_element_generator
from pydicom.valuerep import PN_DELIMS, TEXT_VR_DELIMS

from crawler.columns import CATALOGUE, Attribute
from crawler.model import HIERARCHY, Level

Finding = tuple[str, Any]
GIVES_UP = (EOFError, OSError, StopIteration, AttributeError, struct.error)
LEVEL_TAG = 0x00080052
LONGEST = {"AE": 16, "CS": 16, "LO": 64, "LT": 10240, "PN": 64, "SH": 16, "ST": 1024, "UI": 64}
BINARY = {"US": "<H", "UL": "<L", "SS": "<h", "SL": "<l", "FL": "<f", "FD": "<d"}
CHARSET_VRS = frozenset(["LO", "LT", "PN", "SH", "ST", "UC", "UT"])
TEXT = CHARSET_VRS | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"}


def reference_row(
    dataset: bytes, level: Level, *, explicit_vr: bool = False, default_charset: str = ""
) -> dict[str, Any]:
    """Decode one dataset; faults and raw are sorted. Raises one of `GIVES_UP` where pydicom does."""
    vrs = {attribute.tag: attribute.vr for attribute in CATALOGUE[level]}
    if level in HIERARCHY:
        vrs[LEVEL_TAG] = "CS"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values, faults, raw = parse(dataset, vrs, explicit_vr)
        disown(values, level, faults, raw)
        terms = values.get(0x00080005, b"").rstrip(b" \0").decode("ascii", "replace")
        terms = "\\".join(item.strip(" ") for item in terms.split("\\")) or default_charset
        row: dict[str, Any] = {}
        for attribute in CATALOGUE[level]:
            row |= cells(values.get(attribute.tag), attribute, terms, faults, raw)
    row["faults"] = sorted(({"tag": tag, "reason": reason} for tag, reason in faults), key=repr)
    row["raw"] = sorted(({"tag": tag, "value": value} for tag, value in raw), key=repr)
    return row


def disown(values: dict[int, bytes], level: Level, faults: list[Finding], raw: list[Finding]) -> None:
    """Take the unique key from a row of another level."""
    said = values.get(LEVEL_TAG, b"")
    others = {other.query_retrieve_level.encode() for other in HIERARCHY if other is not level}
    if level in HIERARCHY and said.strip(b" \0") in others:
        [key] = [attribute.tag for attribute in CATALOGUE[level] if attribute.keyword == level.unique_key]
        faults.append((f"{LEVEL_TAG:08x}", "a row of another level"))
        raw.append((f"{LEVEL_TAG:08x}", said))
        if taken := values.pop(key, b""):
            raw.append((f"{key:08x}", taken))


def parse(
    dataset: bytes, vrs: dict[int, str], explicit_vr: bool
) -> tuple[dict[int, bytes], list[Finding], list[Finding]]:
    """Let pydicom find the elements, and judge them."""
    stream = io.BytesIO(dataset)
    values: dict[int, bytes] = {}
    dropped: dict[int, bytes] = {}
    faults: list[Finding] = []
    seen: list[int] = []
    end = 0
    for element in data_element_generator(stream, not explicit_vr, True):
        tag = int(element.tag)
        if tag >> 16 == 0xFFFE:
            break
        begin, length = 0, 0xFFFFFFFF
        if isinstance(element, RawDataElement):
            begin, length = element.value_tell, element.length
        elif element.file_tell is not None:
            begin = int(element.file_tell)
        end, plain = stream.tell(), length != 0xFFFFFFFF
        if not plain and dataset[end - 8 : end] != b"\xfe\xff\xdd\xe0\0\0\0\0":
            raise EOFError("pydicom takes a cut-off delimiter for a whole one")
        cut_off = plain and begin + length > len(dataset)
        if seen and tag <= max(seen):
            faults.append((f"{tag:08x}", "repeated" if tag in seen else "out of order"))
        seen.append(tag)
        reason = "truncated" if cut_off else misfit(element, vrs.get(tag), plain)
        if reason:
            faults.append((f"{tag:08x}", reason))
        if tag in vrs:
            value = dataset[begin:end]
            values.pop(tag, None)
            dropped.pop(tag, None)
            (dropped if reason else values)[tag] = value
    raw: list[Finding] = [(f"{tag:08x}", value) for tag, value in dropped.items()]
    if dataset[end:]:
        faults.append(("00000000", "unreadable"))
        raw.append(("00000000", dataset[end:]))
    return values, faults, raw


def misfit(element: Any, vr: str | None, plain: bool) -> str | None:
    if vr is None:
        return None
    if not plain or element.VR == "SQ":
        return f"a sequence instead of {vr}"
    if element.VR in (None, "UN", vr) or (element.VR in TEXT and vr in TEXT):
        return None
    return f"another VR instead of {vr}"


def cells(
    value: bytes | None, attribute: Attribute, terms: str, faults: list[Finding], raw: list[Finding]
) -> dict[str, Any]:
    """Give the cells of one attribute."""
    vr, tag = attribute.vr, f"{attribute.tag:08x}"
    if value is None:
        return dict.fromkeys(attribute.columns)
    if vr in TYPED:
        stripped = value if vr in BINARY else value.rstrip(b" \0").lstrip(b" ")
        cell, reason, canonical = TYPED[vr](stripped, vr) if stripped else (None, None, b"")
        if reason:
            faults.append((tag, reason))
        written = value if vr in BINARY else value.rstrip(b" \0")
        if value and canonical != written and not (vr == "DS" and cell is not None and same_number(cell, stripped)):
            raw.append((tag, value))
        return {attribute.keyword: cell}
    return text_cells(value, attribute, terms, faults, raw)


def text_cells(
    value: bytes, attribute: Attribute, terms: str, faults: list[Finding], raw: list[Finding]
) -> dict[str, Any]:
    vr, tag = attribute.vr, f"{attribute.tag:08x}"
    trimmed = value.rstrip(b" \0")
    if vr in ("AE", "CS"):
        trimmed = trimmed.lstrip(b" ")
    text, reasons = to_text(trimmed, vr, terms)
    items = [item.strip(" ") for item in text.split("\\")] if text else []
    counted = items if attribute.multi else text.split("=") if vr == "PN" else [text]
    if any(len(part) > LONGEST.get(vr, 2**32) for part in counted):
        reasons.append(f"longer than {LONGEST[vr]} characters")
    if vr == "UI" and re.search(r"[^0-9.]", text):
        reasons.append("illegal character in UI")
    faults.extend((tag, reason) for reason in reasons)
    written = "\\".join(items) if attribute.multi else text
    if value.rstrip(b" \0") != trimmed or b"\x1b" in trimmed or not trimmed.isascii() or written != text:
        raw.append((tag, value))
    if attribute.multi:
        return {attribute.keyword: items}
    if vr != "PN":
        return {attribute.keyword: text}
    group = text.split("=")[0].split("^")
    return dict(zip(attribute.columns, (text, group[0], group[1] if len(group) > 1 else ""), strict=True))


def to_text(value: bytes, vr: str, terms: str) -> tuple[str, list[str]]:
    """Decode by pydicom; its strict mode says whether anything was wrong."""
    if value.isascii() and b"\x1b" not in value:
        return value.decode("ascii"), []
    if vr not in CHARSET_VRS:
        return value.decode("ascii", "replace"), ["not ASCII"]
    names = terms.split("\\")
    known = [name if name in pydicom_charset.python_encoding else "" for name in names]
    codecs = pydicom_charset.convert_encodings(list(known))
    # pydicom reads the default repertoire as Latin-1; it is ASCII (PS3.5 6.1.2.1).
    codecs = ["ascii" if codec == "iso8859" else codec for codec in codecs]
    reasons = ["unknown character set"] if known != names else []
    delimiters = PN_DELIMS if vr == "PN" else TEXT_VR_DELIMS
    parts = value.split(b"=") if vr == "PN" else [value]
    try:
        with strict_reading():
            return "=".join(pydicom_charset.decode_bytes(part, codecs, delimiters) for part in parts), reasons
    except (UnicodeError, ValueError):
        text = "=".join(pydicom_charset.decode_bytes(part, codecs, delimiters) for part in parts)
        return text, reasons or ["not in its character set"]


class strict_reading:
    def __enter__(self) -> None:
        self.mode = config.settings.reading_validation_mode
        config.settings.reading_validation_mode = config.RAISE

    def __exit__(self, *_: object) -> None:
        config.settings.reading_validation_mode = self.mode


def read_date(text: bytes, vr: str) -> tuple[date | None, str | None, bytes | None]:
    try:
        if re.fullmatch(rb"[0-9]{8}", text):
            return datetime.strptime(text.decode(), "%Y%m%d").date(), None, text
    except ValueError:
        pass
    return None, "malformed DA", None


def read_time(text: bytes, vr: str) -> tuple[time | None, str | None, bytes | None]:
    try:
        if re.fullmatch(rb"[0-9]{2}|[0-9]{4}|[0-9]{6}(\.[0-9]{1,6})?", text):
            seconds, _, fraction = text.decode().partition(".")
            parts = [int(seconds[at : at + 2]) for at in range(0, len(seconds), 2)]
            if len(parts) == 3 and parts[2] == 60 and parts[0] < 24 and parts[1] < 60:
                return None, "leap second", None
            hour, minute, second = [*parts, 0, 0][:3]
            cell = time(hour, minute, second, int(fraction.ljust(6, "0")) if fraction else 0)
            return cell, None, cell.strftime("%H%M%S.%f" if cell.microsecond else "%H%M%S").encode()
    except ValueError:
        pass
    return None, "malformed TM", None


def read_datetime(text: bytes, vr: str) -> tuple[datetime | None, str | None, bytes | None]:
    match = re.fullmatch(rb"([0-9]{4,14})(\.[0-9]{1,6})?([+-][0-9]{4})?", text)
    bad = None, f"malformed {vr}", None
    if not match or len(match[1]) % 2 or (match[2] and len(match[1]) < 14):
        return bad
    if match[3] and not (-1200 <= int(match[3]) <= 1400 and int(match[3][3:]) < 60):
        return bad
    full = (match[1] + b"00000101000000"[len(match[1]) :]).decode()
    day = read_date(full[:8].encode(), "DA")[0]
    at, reason, _ = read_time(full[8:].encode() + (match[2] or b""), "TM")
    if reason == "leap second" and day:
        return None, reason, None
    if day is None or at is None:
        return bad
    cell = datetime.combine(day, at)
    return cell, None, full[:8].encode() + at.strftime("%H%M%S.%f" if at.microsecond else "%H%M%S").encode()


def read_integer(text: bytes, vr: str) -> tuple[int | None, str | None, bytes | None]:
    if re.fullmatch(rb"[+-]?[0-9]+", text) and len(text) <= 12 and -(2**31) <= int(text) < 2**31:
        return int(text), None, str(int(text)).encode()
    return None, "malformed IS", None


def read_real(text: bytes, vr: str) -> tuple[float | None, str | None, bytes | None]:
    if len(text) <= 16 and re.fullmatch(rb"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        cell = float(text)
        if abs(cell) != float("inf"):
            return cell, None, b"never"
    return None, "malformed DS", None


def same_number(cell: float, text: bytes) -> bool:
    """Say whether the shortest spelling of the double is the number that was written."""
    return Fraction(repr(cell)) == Fraction(text.decode())


def read_binary(value: bytes, vr: str) -> tuple[Any, str | None, bytes | None]:
    if len(value) != struct.calcsize(BINARY[vr]):
        return None, f"malformed {vr}", None
    return struct.unpack(BINARY[vr], value)[0], None, value


TYPED = {
    "DA": read_date,
    "TM": read_time,
    "DT": read_datetime,
    "IS": read_integer,
    "DS": read_real,
    **dict.fromkeys(BINARY, read_binary),
}
