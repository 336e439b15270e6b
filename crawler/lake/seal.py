"""Checksums that text carries in its last line, so that no flipped bit of it goes unseen. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any

_OPEN = "0" * 64
_FIELD = re.compile(rb'"checksum": "([^"]{64})"\}\}\n\Z')


def sealed(actions: Sequence[dict[str, Any]], information: dict[str, Any]) -> bytes:
    """Write actions as the lines of a commit file, `commitInfo` with the checksum last."""
    last = {"commitInfo": {**information, "checksum": _OPEN}}
    text = "".join(json.dumps(action) + "\n" for action in (*actions, last)).encode()
    head, _, tail = text.rpartition(_OPEN.encode())
    return head + _digest(text) + tail


def is_sealed(content: bytes) -> bool:
    """Tell whether a commit file ends with a checksum at all: earlier releases wrote none."""
    return _FIELD.search(content) is not None


def is_whole(content: bytes) -> bool:
    """Tell whether a commit file is, to the bit, what was written."""
    found = _FIELD.search(content)
    if not found:
        return False
    first, last = found.span(1)
    return found[1] == _digest(content[:first] + _OPEN.encode() + content[last:])


def ending_with_its_digest(text: str) -> bytes:
    """Add a last line to lines: their checksum."""
    return text.encode() + _digest(text.encode())


def without_its_digest(content: bytes) -> str | None:
    """Give the lines back, None where they are not what was written."""
    text, said = content[:-64], content[-64:]
    return text.decode() if said == _digest(text) else None


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest().encode()
