"""Where the log of a lake is, and which commits and checkpoints are in it. Needs no Delta library.

Touches: disk, for names.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

_NUMBERED = re.compile(r"(\d{20})\.(json|draft|checkpoint(\.[0-9a-f.-]+)?\.parquet|checkpoint\.sha256(\.new)?)")
"""The names of files beside the commits, but for `_last_checkpoint`."""


def log_folder(lake: Path) -> Path:
    """Say where the log of a lake is."""
    return lake / "log"


def commit_file(log: Path, version: int) -> Path:
    """Say where the commit of a version is."""
    return log / "_delta_log" / f"{version:020d}.json"


def checkpoint_sums(log: Path, version: int) -> Path:
    """Say where the checksums of a checkpoint, and of the file that named it the last, are."""
    return log / "_delta_log" / f"{version:020d}.checkpoint.sha256"


def version_in(name: str) -> int | None:
    """Give the version that a file beside the commits bears in its name; None for a file of somebody else's."""
    ours = _NUMBERED.fullmatch(name)
    return int(ours[1]) if ours else None


def checkpoints_in(log: Path) -> dict[Path, int]:
    """Give the checkpoints of a log, in their order, and the version of each."""
    found = {path: version_in(path.name) for path in sorted((log / "_delta_log").glob("*.checkpoint*.parquet"))}
    return {path: version for path, version in found.items() if version is not None}


def newest_version(log: Path) -> int:
    """Give the version of the newest commit file, -1 where there is none."""
    names: list[str] = []
    with suppress(OSError):  # there is no folder
        names = os.listdir(log / "_delta_log")  # a tenth of the time of a glob: a week may leave 100,000 of them
    commits = (name for name in names if len(name) == 25 and name[20:] == ".json" and name[:20].isdecimal())
    return int(max(commits, default="-1")[:20])
