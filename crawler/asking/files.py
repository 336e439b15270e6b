"""Questions out of files, answers into files. Touches: disk."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path

from crawler.asking.dicom_json import from_json
from crawler.asking.dump import from_text
from crawler.asking.tree import Field, Tree, encode_tree, read_tree
from crawler.dicom import LONG_VRS_AS_SENT
from crawler.errors import UserError
from crawler.model import IMPLEMENTATION_NAME, IMPLEMENTATION_UID

IMPLICIT_VR, EXPLICIT_VR = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
_LARGEST = 64 * 1024 * 1024
_PREAMBLE = bytes(128) + b"DICM"
_META, _PIXELS = 0x0002, 0x7FE0
_TRANSFER_SYNTAX = 0x00020010


def read_query(path: Path) -> Tree:
    """Read a question from a DICOM file, a DICOM JSON file, or text as dcmdump prints it. Raises UserError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        return _asked(_read(content))
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def file_of(dataset: bytes, sop_class: str, *, explicit_vr: bool) -> bytes:
    """Make a DICOM file of an encoded answer: the same bytes after a file meta information."""
    instance = int.from_bytes(hashlib.sha256(dataset).digest()[:16], "big")
    syntax = EXPLICIT_VR if explicit_vr else IMPLICIT_VR
    uids = {0x2: sop_class, 0x3: f"2.25.{instance}", 0x10: syntax, 0x12: IMPLEMENTATION_UID}
    meta = {_META << 16 | number: Field("UI", uid) for number, uid in uids.items()}
    meta |= {0x00020001: Field("OB", "00\\01"), 0x00020013: Field("SH", IMPLEMENTATION_NAME)}
    encoded = encode_tree(meta, explicit_vr=True)
    length = encode_tree({_META << 16: Field("UL", str(len(encoded)))}, explicit_vr=True)
    return _PREAMBLE + length + encoded + dataset


def _asked(tree: Tree) -> Tree:
    """Leave out what no question has: group lengths, file meta information, pixels."""
    return {tag: field for tag, field in tree.items() if tag & 0xFFFF and tag >> 16 not in (0, _META, _PIXELS)}


def _read(content: bytes) -> Tree:
    if len(content) > _LARGEST:
        raise UserError("is too large for a question")
    if content.startswith(b"DICM", 128):
        return _of_file(content)
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        text = ""
    if text.startswith(("{", "[")):
        return _of_json(text)
    if text.startswith(("#", "(")):
        return from_text(text)
    return _of_dataset(content, explicit_vr=content[4:6].isalpha())


def _of_json(text: str) -> Tree:
    """Read an object, or the only one of an array."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise UserError("is not JSON") from None
    if isinstance(content, list):
        if len(content) != 1:
            raise UserError(f"is an array of {len(content)}: one question is one object")
        content = content[0]
    return from_json(content)


def _of_dataset(content: bytes, *, explicit_vr: bool) -> Tree:
    tree = read_tree(content, explicit_vr=explicit_vr)
    if not tree:
        raise UserError("is neither a DICOM file, nor DICOM JSON, nor text as dcmdump prints it")
    return tree


def _of_file(content: bytes) -> Tree:
    """Read what follows the file meta information, which is always Explicit VR Little Endian (PS3.10 7.1)."""
    at, syntax = len(_PREAMBLE), ""
    try:
        while struct.unpack_from("<H", content, at) == (_META,):
            number, vr, length = struct.unpack_from("<H2sH", content, at + 2)
            at += 8
            if vr in LONG_VRS_AS_SENT:
                length = struct.unpack_from("<I", content, at)[0]
                at += 4
            if _META << 16 | number == _TRANSFER_SYNTAX:
                syntax = content[at : at + length].decode("latin-1").rstrip(" \0")
            at += length
    except struct.error:
        raise UserError("is a DICOM file without a dataset") from None
    if syntax in ("1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"):
        raise UserError("is big endian or deflated; convert it, by dcmconv say")
    return _of_dataset(content[at:], explicit_vr=syntax != IMPLICIT_VR)
