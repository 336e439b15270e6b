"""A store without room: on a file system of some kilobytes, or of a few files.

Where none may be mounted, no file may have more than LONGEST bytes.
"""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crawler.testing.archive import Archive
from crawler.testing.quirks import Quirks
from tests.acceptance.retrieving import DAYS

LARGE = Archive(4, *DAYS, seed=11, series_per_study=2, rows=100, columns=100, most_images=4)
LONGEST = 600_000
"""Bytes: moving pictures are longer, and no file of so small a lake."""
ONE_BY_ONE = Quirks(sends_per_second=20)
"""So that what comes first is in its place before there is no room."""
ROOM = "remount,size=20m,nr_inodes=10000"


@contextmanager
def small(store: Path, limit: str) -> Iterator[bool]:
    """Have a file system of this size below `store` while the block runs; False where that is not permitted."""
    store.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", limit, "none", store], capture_output=True)
    try:
        yield done.returncode == 0
    finally:
        if done.returncode == 0:
            subprocess.run(["umount", store], check=True)


@contextmanager
def short_files(*, wanted: bool, longest: int = LONGEST) -> Iterator[None]:
    """Where that is wanted, let no longer file be written."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (longest, before[1]) if wanted else before)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
