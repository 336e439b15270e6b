"""Who else can reach a folder that holds patients' data. Touches: disk."""

from __future__ import annotations

import os
from pathlib import Path

from crawler.errors import UserError

_GROUP, _OTHERS = 0o070, 0o007
_ENTER = 0o011


def require_private(folder: Path) -> None:
    """UserError where others can do with a folder what the umask keeps them from doing with new ones.

    Those who cannot pass a folder above it cannot reach it, whatever it lets them do.
    """
    folder = folder.resolve()
    barred = _umask() & folder.stat().st_mode
    for above in folder.parents:
        mode = above.stat().st_mode
        if not mode & _ENTER & _OTHERS:
            barred &= ~_OTHERS
        if not mode & _ENTER:
            barred &= ~_GROUP
    if barred & (_GROUP | _OTHERS):
        whose, strict = ("everybody", "o=") if barred & _OTHERS else ("its group", "g=")
        strict = "go=" if barred & _GROUP and barred & _OTHERS else strict
        raise UserError(f"{folder} is open to {whose}: type chmod {strict} {folder}")


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
