"""Files of the store for others: by study and series, each compared with its checksum on the way. Touches: disk."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from crawler.errors import PacslakeError, UserError
from crawler.export.receipt import RECEIPT, receipt_in
from crawler.retrieve.durable import sync_filesystem
from crawler.retrieve.layout import is_uid
from crawler.retrieve.readback import Flaw, Told, examine, examine_size

_CHUNK = 1 << 20
_DRAFT = ".part"
UNFINISHED = ".unfinished"
"""Stands in a folder until its receipt is written."""


def path_of(told: Told) -> str:
    """Give where an instance lies in an export. It names no patient, and nothing that a peer says unchecked."""
    return f"{_part(told.study)}/{_part(told.series)}/{_part(told.instance)}.dcm"


def _part(uid: str) -> str:
    return uid if is_uid(uid) else sha256(uid.encode()).hexdigest()[:32]


def begin(folder: Path, kind: str, name: str) -> None:
    """Make the folder of an export, or go on with one of the same name. UserError where it holds anything else.

    `kind` is the key of the receipt that has the name: `cohort` or `dataset`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / RECEIPT).is_file():
        theirs = receipt_in(folder)
        if theirs.get(kind) != name:
            told = next(
                (f"the {one} {theirs[one]}" for one in ("dataset", "cohort") if one in theirs), "another receipt"
            )
            raise UserError(f"{folder} holds {told}; name another folder")
    elif os.listdir(folder) and not (folder / UNFINISHED).exists():
        raise UserError(f"{folder} is not empty; name a folder that is, or that is not there yet")
    (folder / UNFINISHED).touch()


def end(folder: Path) -> None:
    """Say that an export is whole: its receipt is written."""
    (folder / UNFINISHED).unlink()


def sync_folder(folder: Path) -> None:
    """Wait until everything that was copied is on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        sync_filesystem(descriptor)
    finally:
        os.close(descriptor)


def copier(store: Path, folder: Path, *, link: bool) -> Callable[[Told], Flaw | None]:
    """Give what copies a file, or links to it, unless it is there already; it says what is wrong with one in the store.

    A copy that was begun is not taken for whole after a crash. UserError where there can be no link.
    """

    def copy(told: Told) -> Flaw | None:
        target = folder / path_of(told)
        there = replace(told, path=path_of(told))
        if (examine_size if link else examine)(folder, there) is None:
            return None
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            return _link(store, target, told) if link else _copy(store / told.path, target, told)
        except OSError as error:
            raise PacslakeError(
                f"{folder} cannot be written ({error.strerror}). Mend that, then export again."
            ) from error

    return copy


def _link(store: Path, target: Path, told: Told) -> Flaw | None:
    if (flaw := examine_size(store, told)) is not None:
        return flaw
    target.unlink(missing_ok=True)
    try:
        os.link(store / told.path, target)
    except OSError as error:
        if error.errno in (errno.EXDEV, errno.EPERM, errno.EMLINK):
            raise UserError(f"no links from {store} can be made there ({error.strerror}): leave out --link") from None
        raise
    return None


def _copy(source: Path, target: Path, told: Told) -> Flaw | None:
    digest, draft = sha256(), target.with_name(target.name + _DRAFT)
    if not source.is_file():
        return Flaw.MISSING
    with open(source, "rb") as file, open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as copy:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            copy.write(chunk)
    if digest.hexdigest() != told.sha256:
        with suppress(OSError):
            draft.unlink()
        return Flaw.CONTENT
    os.replace(draft, target)
    return None
