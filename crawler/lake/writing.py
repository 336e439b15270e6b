"""What is said when a lake cannot be written. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from deltalake.exceptions import DeltaError

from crawler.errors import LakeError


@contextmanager
def writing(lake: Path) -> Iterator[None]:
    """Say what the disk said where it takes nothing more, or breaks, while a lake is written. LakeError then."""
    try:
        yield
    except (OSError, duckdb.Error, DeltaError) as error:
        mend = "Nothing in it is torn; mend that, then type the same again."
        raise LakeError(f"{lake} could not be written ({_reason(error)}). {mend}") from error


def _reason(error: Exception) -> str:
    """Give the words of an error. Others of DuckDB's may quote a patient's value."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror + (f": {error.filename}" if error.filename else "")
    if "fsync failed" in str(error):  # which is fatal to DuckDB, and quotes nothing
        return "fsync failed"
    told = isinstance(error, OSError | DeltaError | duckdb.IOException | duckdb.OutOfMemoryException)
    if not told or not str(error):
        return type(error).__name__
    first, *below = str(error).splitlines()  # delta-rs has the system's words in the last of several lines
    system = re.search(r"[A-Z].*\(os error \d+\)", "\n".join(below))
    return f"{first}: {system[0]}" if system else first
