"""Datasets in the DICOM JSON model (PS3.18 F.2), written and read. Pure."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from functools import lru_cache
from typing import Any

from crawler.asking.tree import BYTES, DEEPEST, NUMBERS, ONE_VALUE, Field, Tree, bytes_in
from crawler.dicom import NAME_GROUPS
from crawler.errors import UserError

_NUMERIC = frozenset((*NUMBERS, "DS", "IS"))
_CONTROLS = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}
"""What a terminal would obey and JSON lets stand."""
_TAG = re.compile(r"[0-9A-Fa-f]{8}")


def json_text(tree: Tree) -> str:
    """Write a dataset in one line that no terminal obeys."""
    elements = (
        f'"{tag:08X}":' + (_leaf(vr, value) if isinstance(value, str) else _dumped(_element(vr, value)))
        for tag, (vr, value) in sorted(tree.items())
    )
    return "{" + ",".join(elements) + "}"


@lru_cache(1 << 16)
def _leaf(vr: str, value: str) -> str:
    """Write a value; most come again and again."""
    return _dumped(_element(vr, value))


def _dumped(content: object) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).translate(_CONTROLS)


def as_json(tree: Tree) -> dict[str, Any]:
    """Give a dataset as values that JSON knows."""
    return {f"{tag:08X}": _element(vr, value) for tag, (vr, value) in sorted(tree.items())}


def _element(vr: str, value: str | list[Tree]) -> dict[str, Any]:
    if not value:
        return {"vr": vr}
    if not isinstance(value, str):
        return {"vr": vr, "Value": [as_json(item) for item in value]}
    if vr in BYTES:
        return {"vr": vr, "InlineBinary": base64.b64encode(bytes_in(value)).decode()}
    parts = [value] if vr in ONE_VALUE else [part.rstrip(" ") for part in value.split("\\")]
    return {"vr": vr, "Value": [_value(vr, part) for part in parts]}


def _value(vr: str, part: str) -> Any:
    if not part:
        return None
    if vr == "PN":
        return {name: group for name, group in zip(NAME_GROUPS, part.split("=", 2), strict=False) if group}
    if vr == "AT":
        return part.strip("()").replace(",", "").upper()
    return _number(vr, part) if vr in _NUMERIC else part


def _number(vr: str, part: str) -> int | float | str:
    """Give a number where it is one; F.2.2 lets malformed ones be text."""
    try:
        number = float(part) if vr in ("DS", "FL", "FD") else int(part)
    except ValueError:
        return part
    return number if math.isfinite(number) else part


def from_json(content: object, deepest: int = DEEPEST) -> Tree:
    """Read a dataset. Raises UserError for what is none."""
    if not isinstance(content, dict) or not deepest:
        raise UserError("is no DICOM JSON object")
    return {_tag(name): _field(name, told, deepest) for name, told in content.items()}


def _tag(name: object) -> int:
    if not isinstance(name, str) or not _TAG.fullmatch(name):
        raise UserError(f"has a name {name!r}, which is no tag of eight hexadecimal digits")
    return int(name, 16)


def _field(name: str, told: object, deepest: int) -> Field:
    if not isinstance(told, dict) or not isinstance(told.get("vr"), str) or len(told["vr"]) != 2:
        raise UserError(f"has no vr at {name}")
    vr, values = told["vr"], told.get("Value", [])
    if "InlineBinary" in told:
        try:
            return Field(vr, "\\".join(f"{byte:02x}" for byte in base64.b64decode(told["InlineBinary"], validate=True)))
        except (binascii.Error, TypeError, ValueError):
            raise UserError(f"has an InlineBinary at {name} that is not base64") from None
    if not isinstance(values, list):
        raise UserError(f"has a Value at {name} that is no list")
    if vr == "SQ":
        return Field(vr, [from_json(item or {}, deepest - 1) for item in values])
    return Field(vr, "\\".join(_text(vr, value) for value in values))


def _text(vr: str, value: object) -> str:
    if value is None:
        return ""
    if vr == "PN" and isinstance(value, dict):
        return "=".join(str(value.get(group) or "") for group in NAME_GROUPS).rstrip("=")
    if isinstance(value, dict | list | bool):
        raise UserError(f"has a value that no {vr} can be")
    return str(value)
