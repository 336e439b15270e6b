"""DuckDB as this room opens it: it loads nothing, and leaves memory to the rest of its process.

Touches: the limits of the process, the folder for temporary files.
"""

from __future__ import annotations

import os
import resource
import stat
import tempfile
from pathlib import Path

import duckdb

Config = dict[str, str | bool | int | float | list[str]]
NO_EXTENSIONS: Config = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
_OF_OTHERS = 1280 << 20
"""Address space of Python, its libraries and their threads, with two processors."""
_LEAST = 128 << 20


def connect(**config: str | int) -> duckdb.DuckDBPyConnection:
    """Open a database in memory, with settings of DuckDB."""
    return duckdb.connect(config={**NO_EXTENSIONS, **_within_limits(), "temp_directory": _spilled_to(), **config})


def _spilled_to() -> str:
    """Give the folder of this user alone for what memory cannot hold, "" where there can be none.

    By itself DuckDB takes `.tmp` of the working folder, where others may read. It names its files by process, and
    removes what a killed one left.
    """
    try:
        folder = Path(tempfile.gettempdir()) / f"pacslake-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return ""
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
    return str(folder) if is_ours else ""


def _within_limits() -> Config:
    """Give DuckDB what `ulimit -v` leaves to it.

    By itself it looks at the machine and at the cgroup alone, and takes what other libraries abort without.
    """
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    if most == resource.RLIM_INFINITY or most > os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"):
        return {}
    return {"memory_limit": f"{max(most - _OF_OTHERS, _LEAST) >> 20}MiB"}
