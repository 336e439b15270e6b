"""Runs of keys in files, read and merged through memory maps. Touches: disk.

A file holds the five rows of a run one after another, 64-bit and in this machine's byte order: it is a cache.
Mapped pages count as memory of the process until they are released, so they are, often; they stay in the page cache.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import numpy as np

from crawler.lake.files import sync
from crawler.lake.runs import Run, empty_run, merge_in_parts

_ENTRY = empty_run(1).nbytes


class MappedRun:
    """A run in a file, of which the first `length` keys are filled."""

    def __init__(self, path: Path, length: int, *, writable: bool = False) -> None:
        with open(path, "r+b" if writable else "rb") as file:
            access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
            self._map = mmap.mmap(file.fileno(), 0, access=access)
        self.run: Run = np.frombuffer(self._map, np.uint64).reshape(5, -1)[:, :length]
        if self.run.shape[1] != length:
            raise ValueError(f"{path.name} holds less than {length} keys")

    def release(self) -> None:
        """Give the pages back; they are read again when they are needed."""
        self._map.madvise(mmap.MADV_DONTNEED)

    def flush(self) -> None:
        """Hand what was written to the operating system."""
        self._map.flush()


def write_run(path: Path, run: Run) -> int:
    """Write a run to a new file and wait until it is on disk; gives its length."""
    with open(path, "wb") as file:
        file.write(run.tobytes())
        file.flush()
        os.fsync(file.fileno())
    return int(run.shape[1])


def merge_files(path: Path, older: MappedRun, newer: MappedRun) -> int:
    """Merge two runs into a new file and wait until it is on disk; gives its length."""
    room = older.run.shape[1] + newer.run.shape[1]
    with open(path, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, room * _ENTRY)  # on a full disk an error here, and no SIGBUS at the map
    target = MappedRun(path, room, writable=True)
    length = 0
    for part in merge_in_parts(older.run, newer.run):
        target.run[:, length : length + part.shape[1]] = part
        length += part.shape[1]
        for mapped in (older, newer, target):
            mapped.release()
    target.flush()
    sync(path)
    return length
