"""Which lakes this release reads and writes. Pure; imports nothing heavy, because every command pays for it."""

from __future__ import annotations

import re
from pathlib import Path

from crawler.errors import NewerLakeError, UserError

FORMAT = 1
"""The format of the lakes that this release writes. A lake that does not say its format is older than this key."""
FORMAT_KEY = "pacslake.format"
"""The property of the log's table that says it."""


_MISREAD = re.compile(r"%[0-9A-Fa-f]{2}|[*?\[\\\x00-\x1f\x7f\ud800-\udfff]")
"""What in a path stands for something else to Delta Lake (%41, a backslash) or to DuckDB, which reads all files that a
pattern matches."""


def refuse_path(lake: Path) -> None:
    """Raise UserError where the path of a lake would be taken for another, or for several."""
    if found := _MISREAD.search(str(lake)):
        shown = str(lake).encode("ascii", "backslashreplace").decode()
        raise UserError(
            f"{shown}: {found[0]!a} in a path means something else to Delta Lake or DuckDB; choose another folder"
        )


def refuse_newer(lake: Path, written: str | int | None) -> None:
    """Raise NewerLakeError where the lake's format is none that this release knows."""
    if written is not None and str(written) != str(FORMAT):
        raise NewerLakeError(
            f"The lake at {lake} has format {written}, and this pacslake knows format {FORMAT}: "
            "install the release that wrote it, or a later one."
        )
