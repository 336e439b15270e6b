"""Where targets that read files have them. Touches: disk."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

_MEMORY = Path("/dev/shm")


@cache
def folder(name: str) -> Path:
    """Give a folder for this process alone, in memory where there is such a place."""
    made = Path(tempfile.mkdtemp(prefix=f"pacslake-fuzz-{name}-", dir=_MEMORY if _MEMORY.is_dir() else None))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def written(name: str, content: bytes) -> Path:
    """Write a file and give its path."""
    path = folder(name) / name
    path.write_bytes(content)
    return path
