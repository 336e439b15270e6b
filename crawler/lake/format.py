"""Which lakes this release reads and writes. Pure; imports nothing heavy, because every command pays for it."""

from __future__ import annotations

from pathlib import Path

from crawler.errors import NewerLakeError

FORMAT = 1
"""The format of the lakes that this release writes. A lake that does not say its format is older than this key."""
FORMAT_KEY = "pacslake.format"
"""The property of the log's table that says it."""


def refuse_newer(lake: Path, written: str | int | None) -> None:
    """Raise NewerLakeError where the lake's format is none that this release knows."""
    if written is not None and str(written) != str(FORMAT):
        raise NewerLakeError(
            f"The lake at {lake} has format {written}, and this pacslake knows format {FORMAT}: "
            "install the release that wrote it, or a later one."
        )
