"""A file that appears under its name only when it is complete. It holds patients' data: nobody but its owner reads it.

Touches: disk.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crawler.errors import PacslakeError, UserError


@contextmanager
def whole_file(target: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Give the path of a draft that gets its name when the block ends well, and is gone when it does not.

    The draft stands in a folder of its own beside the target, where whoever writes it may keep further files.
    UserError where the target exists and may not be overwritten.
    """
    if target.is_dir() or (target.exists() and not overwrite):
        raise UserError(_taken(target))
    try:
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
            draft = Path(folder) / target.name
            os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            yield draft
            draft.chmod(0o600)  # some writers make the file anew
            _sync(draft)
            _name(draft, target, overwrite)
            _sync(target.parent)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise PacslakeError(f"{target} could not be written ({reason}); nothing was left there.") from error


def _name(draft: Path, target: Path, overwrite: bool) -> None:
    """Give the draft its name; a link fails where somebody has made the target meanwhile."""
    if overwrite:
        os.replace(draft, target)
        return
    try:
        os.link(draft, target)
    except FileExistsError:
        raise UserError(_taken(target)) from None


def _taken(target: Path) -> str:
    if target.is_dir():
        return f"{target} is a folder; name a file"
    return f"{target} exists; --overwrite replaces it"


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
