"""Objects on disk: written as they come, made durable in groups, then moved to their place.

A file has its name in the layout only when its bytes are on disk, and is reported only when its name is too: whatever
is killed when, a file in the layout is whole. What has no place yet lies in the spool and is thrown away at the next
start. One process owns a store. Files are named from folders that are held open, and no link in a store is followed: it
may lie where others can write. Touches: disk.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import file_digest
from pathlib import Path

from crawler.errors import UserError
from crawler.folders import require_private
from crawler.model import Quota
from crawler.retrieve.durable import sync_filesystem
from crawler.retrieve.header import SERIES_INSTANCE_UID, STUDY_INSTANCE_UID
from crawler.retrieve.incoming import Arrived, Intake
from crawler.retrieve.instance import Kept, Outcome
from crawler.retrieve.layout import SPOOL, Layout, by_hash, place_beside
from crawler.retrieve.quota import Counted, say_spent, write_down, written_down

_NO_FOLDER = (errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.EPERM)
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


class Spool:
    """A store and the objects on their way into it."""

    def __init__(self, store: Path, folders: tuple[int, int], layout: Layout) -> None:
        """`folders` are descriptors of the store and of its spool, which is locked."""
        self.store = store
        self._root, self._lock = folders
        self._layout = layout
        self.intake = Intake(self._lock)

    def heed(self, quota: Quota) -> None:
        """Take no more of a sender in a day than this from now on."""
        self.intake.counts = Counted(quota, written_down(self._root), say_spent)

    def opened_again(self) -> int:
        """Give another descriptor of the spool, which does not keep it locked."""
        return os.open(SPOOL, _FOLDER, dir_fd=self._root)

    @staticmethod
    def open(store: Path, layout: Layout = by_hash) -> Spool:
        """Make the store or take it over, and throw away what another owner left half done. UserError when it lives."""
        store.mkdir(parents=True, exist_ok=True, mode=0o700)
        if layout is by_hash:  # else it is a folder that somebody named
            require_private(store)
        root = os.open(store, os.O_RDONLY | os.O_DIRECTORY)
        lock = -1
        try:
            lock = _entered(root, SPOOL)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for left in os.listdir(lock):
                os.unlink(left, dir_fd=lock)
        except OSError as error:
            for one in {root, lock} - {-1}:
                os.close(one)
            if isinstance(error, BlockingIOError):
                raise UserError(f"Another process receives into {store}. Wait until it ends, or stop it.") from None
            if error.errno in _NO_FOLDER:
                what = f"{store / SPOOL} must be a folder in which there are files alone"
                raise UserError(f"{what}, and somebody else has changed that: look who can write there") from None
            raise
        return Spool(store, (root, lock), layout)

    def close(self) -> None:
        """Let others have the store."""
        os.close(self._lock)
        os.close(self._root)

    def has(self, arrived: Arrived) -> bool:
        """Whether a file in the spool is what is said of it, as far as that is seen from outside."""
        try:
            found = os.stat(arrived.name, dir_fd=self._lock, follow_symlinks=False)
        except OSError:
            return False
        return stat.S_ISREG(found.st_mode) and found.st_size == arrived.size

    def clear(self, prefix: str) -> None:
        """Throw away what somebody has left who filled the spool."""
        for name in os.listdir(self._lock):
            if name.startswith(prefix):
                with suppress(OSError):
                    self.intake.remove(name)

    def discard(self, arrived: Arrived) -> None:
        """Throw an object away that has come."""
        if self.intake.counts is not None:
            self.intake.counts.add(arrived.instance.source_ae, -1, -arrived.size)
        with suppress(OSError):
            self.intake.remove(arrived.name)

    def sync(self) -> bool:
        """Wait until what was written and named is on disk; give whether it is."""
        try:
            if self.intake.counts is not None:
                write_down(self.intake.counts.taken, self._root)
            sync_filesystem(self._lock)
        except OSError as error:
            self.intake.trouble = error
            return False
        return True

    def place(self, group: Sequence[Arrived]) -> tuple[list[Kept], list[Arrived]]:
        """Move files to their places, and give those that have one, and those whose place is taken."""
        kept, namesakes = [], []
        for arrived in group:
            place = self._place(arrived)
            try:
                with self._shard(place) as (folder, name):
                    if _has(folder, name):
                        namesakes.append(arrived)
                        continue
                    os.rename(arrived.name, name, src_dir_fd=self._lock, dst_dir_fd=folder)
            except OSError as error:
                self._lose(arrived, error)
            else:
                kept.append(_kept(arrived, place, Outcome.STORED))
        return kept, namesakes

    def compare(self, namesakes: Sequence[Arrived]) -> list[Kept]:
        """Keep those beside what has their place that are not the same."""
        kept = []
        for arrived in namesakes:
            try:
                kept.append(self._kept_beside(arrived))
            except OSError as error:
                self._lose(arrived, error)
        return kept

    def _kept_beside(self, arrived: Arrived) -> Kept:
        place, outcome = self._place(arrived), Outcome.AGAIN
        with self._shard(place) as (folder, name):
            if not _is_same(folder, name, arrived):
                place = place_beside(place, arrived.sha256)
                beside = place.rpartition("/")[2]
                outcome = Outcome.AGAIN if _has(folder, beside) else Outcome.OTHER
            if outcome is Outcome.OTHER:
                os.rename(arrived.name, beside, src_dir_fd=self._lock, dst_dir_fd=folder)
            else:
                self.intake.remove(arrived.name)
        return _kept(arrived, place, outcome)

    def _place(self, arrived: Arrived) -> str:
        one = arrived.instance
        return self._layout(one.text(STUDY_INSTANCE_UID), one.text(SERIES_INSTANCE_UID), one.sop_instance)

    def _lose(self, arrived: Arrived, error: OSError) -> None:
        self.intake.trouble = error
        self.discard(arrived)

    @contextmanager
    def _shard(self, place: str) -> Iterator[tuple[int, str]]:
        """Open the folder of a place, made where it is missing; give it and the name there. OSError."""
        *folders, name = place.split("/")
        here = os.dup(self._root)
        try:
            for folder in folders:
                inner = _entered(here, folder)
                os.close(here)
                here = inner
            yield here, name
        finally:
            os.close(here)


def _kept(arrived: Arrived, place: str, outcome: Outcome) -> Kept:
    return Kept(arrived.instance, place, outcome, arrived.size, arrived.sha256)


def _has(folder: int, name: str) -> bool:
    with suppress(FileNotFoundError):
        os.stat(name, dir_fd=folder, follow_symlinks=False)
        return True
    return False


def _is_same(folder: int, name: str, arrived: Arrived) -> bool:
    """Compare with what has the place; a link never is."""
    there = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISREG(there.st_mode) or there.st_size != arrived.size:
        return False
    with os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder), "rb") as file:
        return file_digest(file, "sha256").hexdigest() == arrived.sha256


def _entered(folder: int, name: str) -> int:
    """Open a folder in another one, made where it is missing."""
    with suppress(FileNotFoundError):
        return os.open(name, _FOLDER, dir_fd=folder)
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=folder)
    return os.open(name, _FOLDER, dir_fd=folder)
