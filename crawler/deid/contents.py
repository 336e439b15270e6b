"""What lies in a file: the values of DICOM, the text of text files, and what is packed inside. Pure."""

from __future__ import annotations

import html
import io
import re
import zipfile
from collections.abc import Iterator
from typing import NamedTuple

from crawler.deid import walk
from crawler.deid.walk import Holds, Value

_GZIP, _ZIP, _PNG = b"\x1f\x8b", b"PK\x03\x04", b"\x89PNG\r\n\x1a\n"
_DEEPEST = 3
_MOST_UNPACKED = 4 << 30
_IN_TEXTS = bytes(range(0x20, 0x100)) + b"\t\n\f\r\x1b"
_RUNS = re.compile(rb"[\t\n\r -~]{4,}")
_HEADER = 1024
"""Bytes at the beginning of a file of another kind, NIfTI say, in which short words are looked for too."""


class Piece(NamedTuple):
    """Bytes to search, and what of them is what."""

    name: str
    """How it is called: empty for a DICOM file, whose values have names."""
    data: bytes
    values: list[Value]


def pieces(data: bytes, depth: int = 0) -> Iterator[Piece]:
    """Give a file, and all that is packed in it. ValueError for what cannot be unpacked."""
    if walk.is_dicom(data):
        yield Piece("", *walk.values(data))
        return
    if (text := as_text(data)) is not None:
        for said in {text, _unescaped(text)}:
            yield Piece("the text", said, [(0, len(said), 0, Holds.TEXT)])
        return
    packed = data.startswith((_GZIP, _ZIP, _PNG))
    header = [] if packed else [(*run.span(), 0, Holds.TEXT) for run in _RUNS.finditer(data, 0, _HEADER)]
    yield Piece("the file", data, [(0, len(data), 0, Holds.PIXELS), *header])
    for inside in _unpacked(data):
        if depth >= _DEEPEST:
            raise ValueError("is packed too often")
        yield from pieces(inside, depth + 1)


def as_text(data: bytes) -> bytes | None:
    """Give what is text in the encodings of DICOM as it is, and UTF-16 in UTF-8; None for anything else."""
    bare = data.rstrip(b"\0")
    if not bare.translate(None, _IN_TEXTS):
        return bare
    for begin, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if data.startswith((b"\xff\xfe", b"\xfe\xff")) or (len(data) > 3 and not data[begin::2].strip(b"\0")):
            text = data.decode(encoding, "replace").strip("\0\ufeff")
            if "\0" not in text and "\ufffe" not in text:
                return text.encode("utf-8", "replace")
    return None


def _unescaped(data: bytes) -> bytes:
    """Write out what JSON, HTML and XML say by escapes."""
    if b"\\u" not in data and b"&" not in data:
        return data
    text = data.decode("utf-8", "surrogateescape")
    text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text)
    paired = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return html.unescape(paired).encode("utf-8", "replace")


def _unpacked(data: bytes) -> Iterator[bytes]:
    if data.startswith(_GZIP):
        yield walk.inflated(data)
    elif data.startswith(_PNG):
        yield from _texts_of_png(data)
    elif data.startswith(_ZIP):
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                if sum(member.file_size for member in archive.infolist()) > _MOST_UNPACKED:
                    raise ValueError("unpacks to more than is searched")
                yield from (archive.read(member) for member in archive.infolist())
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError):
            raise ValueError("does not unpack") from None


def _texts_of_png(data: bytes) -> Iterator[bytes]:
    """Give the texts of a picture (PNG 11.3.3), compressed ones too."""
    position = len(_PNG)
    while position + 8 <= len(data):
        length, kind = int.from_bytes(data[position : position + 4], "big"), data[position + 4 : position + 8]
        content = data[position + 8 : position + 8 + length]
        position += 12 + length
        if kind == b"tEXt":
            yield content.replace(b"\0", b"\n")
        elif kind == b"zTXt":
            yield walk.inflated(content.partition(b"\0")[2][1:])
        elif kind == b"iTXt":
            keyword, _, rest = content.partition(b"\0")
            language, translated, text = rest[2:].split(b"\0", 2)
            yield b"\n".join((keyword, language, translated, walk.inflated(text) if rest[:1] == b"\1" else text))
