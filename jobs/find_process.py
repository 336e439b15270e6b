"""The process that answers C-FIND, `python -m jobs.find_process`: only `jobs/answering.py` starts it.

It confines itself before it loads what answers, as libraries begin threads of their own, which would stay free. In the
lake it can write its audit alone, its cache, and how it stands with PACS: what hostile bytes might bring about here
cannot change a table. Touches: disk, its own process.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from crawler.confine import Confines, confine, limit_data
from crawler.lake import folders

_WRITTEN = (folders.AUDIT, folders.BY_DAY, folders.STANDING)
_LIBRARIES, _OF_A_CORE = 1 << 30, 32 << 20
"""Bytes that stacks and libraries have beside what they are given, and for each processor of the machine."""


Folders = dict[Path, tuple[int, int]]
"""Folders, and which they are."""


def there(lake: Path) -> Folders:
    """Give those that matter to the process, as far as they are there; none where there is no lake."""
    found = {}
    for folder in (lake / name for name in (folders.LOG, *_WRITTEN)):
        with suppress(OSError):
            is_there = folder.stat()
            found[folder] = is_there.st_dev, is_there.st_ino
    return found


def confined(lake: Path, memory: int, *, calls: bool) -> Folders:
    """Give up all writing but in some folders of the lake, programs, other ports, and memory beyond so much.

    `calls` says whether others may be called. It must come before any other thread begins, and holds for the folders
    that it gives: where others have taken their place, a new process is wanted.
    """
    if (lake / folders.LOG).is_dir():  # else it is no lake, or not mounted, and nothing grows there
        for name in _WRITTEN:
            with suppress(OSError):  # whoever writes there tells of it
                (lake / name).mkdir(exist_ok=True)
    found = there(lake)
    limit_data(memory + _LIBRARIES + _OF_A_CORE * (os.cpu_count() or 1))
    confine(Confines((Path("/"),), [folder for folder in found if folder.name in _WRITTEN], connects=calls))
    return found


def main(told: Iterable[str]) -> None:
    """Do so, and answer."""
    lake, memory, calls = told
    found = confined(Path(lake), int(memory), calls=calls == "calls")
    from jobs.find_scp import answer_queries

    answer_queries(found)


if __name__ == "__main__":
    main(sys.argv[1:])
