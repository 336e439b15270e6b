"""Whether a file is what its row of `files` says. Touches: disk.

Nothing but the file is read: it works on a copy anywhere, without a lake.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from itertools import islice
from pathlib import Path

from crawler.retrieve.header import HEAD, SOP_INSTANCE_UID, first_elements

_CHUNK = 1 << 20
_PREAMBLE = 132
_GROUP_LENGTH = 12
"""Bytes of the first element of the file meta information, whose value is the length of the rest (PS3.10 7.1)."""
_AT_ONCE = 256


class Flaw(StrEnum):
    """What is wrong with a file."""

    MISSING = "missing"
    SIZE = "another size"
    CONTENT = "other content"
    INSTANCE = "another instance"
    """Its bytes are those of the manifest, but it names another SOP Instance UID: the manifest is wrong."""
    EXTRA = "not in the manifest"


@dataclass(frozen=True, slots=True)
class Told:
    """What a manifest, or the lake, says of a file."""

    study: str
    series: str
    instance: str
    """Empty for a file that is no instance."""
    path: str
    size: int
    sha256: str
    transfer_syntax: str


TOLD = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "path", "size", "sha256", "transfer_syntax")
"""The columns of `files`, and of a manifest, that tell this: in the order of its fields."""

Look = Callable[[Told], Flaw | None]
"""Says what is wrong with a file."""


def examine_size(root: Path, told: Told) -> Flaw | None:
    """Look whether the file is there and as long as it should be."""
    try:
        return None if os.stat(root / told.path).st_size == told.size else Flaw.SIZE
    except OSError:
        return Flaw.MISSING


def examine(root: Path, told: Told) -> Flaw | None:
    """Read the file whole."""
    digest = sha256()
    try:
        with open(root / told.path, "rb") as file:
            if os.fstat(file.fileno()).st_size != told.size:
                return Flaw.SIZE
            head = file.read(_CHUNK)
            digest.update(head)
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError:
        return Flaw.MISSING
    if digest.hexdigest() != told.sha256:
        return Flaw.CONTENT
    is_it = not told.instance or instance_of(head, told.transfer_syntax) == told.instance
    return None if is_it else Flaw.INSTANCE


def instance_of(head: bytes, transfer_syntax: str) -> str | None:
    """Read the SOP Instance UID of the dataset that a file with this beginning holds."""
    length = int.from_bytes(head[_PREAMBLE + 8 : _PREAMBLE + _GROUP_LENGTH], "little")
    begin = _PREAMBLE + _GROUP_LENGTH + length
    found = first_elements(head[begin : begin + HEAD], transfer_syntax, frozenset((SOP_INSTANCE_UID,)))
    value = found.get(SOP_INSTANCE_UID)
    return None if value is None else value.decode("ascii", "replace").strip("\0 ")


def examined(files: Iterable[Told], look: Look) -> Iterator[tuple[Told, Flaw | None]]:
    """Look at files in threads, as hashing lets others run; gives them in their order."""
    waiting = iter(files)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        while batch := list(islice(waiting, _AT_ONCE)):
            yield from zip(batch, threads.map(look, batch), strict=True)
