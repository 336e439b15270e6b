"""DuckDB as this room opens it: it loads nothing, and leaves memory to the rest of its process.

Touches: the limits of the process.
"""

from __future__ import annotations

import os
import resource

import duckdb

Config = dict[str, str | bool | int | float | list[str]]
NO_EXTENSIONS: Config = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
_OF_OTHERS = 1280 << 20
"""Address space of Python, its libraries and their threads, with two processors."""
_LEAST = 128 << 20


def connect(**config: str | int) -> duckdb.DuckDBPyConnection:
    """Open a database in memory, with settings of DuckDB."""
    return duckdb.connect(config={**NO_EXTENSIONS, **_within_limits(), **config})


def _within_limits() -> Config:
    """Give DuckDB what `ulimit -v` leaves to it.

    By itself it looks at the machine and at the cgroup alone, and takes what other libraries abort without.
    """
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    if most == resource.RLIM_INFINITY or most > os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"):
        return {}
    return {"memory_limit": f"{max(most - _OF_OTHERS, _LEAST) >> 20}MiB"}
