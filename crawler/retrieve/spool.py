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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import file_digest, sha256
from pathlib import Path

from crawler.errors import UserError
from crawler.folders import require_private
from crawler.model import Quota
from crawler.retrieve.durable import sync_filesystem
from crawler.retrieve.header import HEAD, SERIES_INSTANCE_UID, STUDY_INSTANCE_UID
from crawler.retrieve.instance import OUT_OF_RESOURCES, SUCCESS, Instance, Kept, Outcome
from crawler.retrieve.layout import SPOOL, Layout, by_hash, place_beside
from crawler.retrieve.quota import Counted

_NO_FOLDER = (errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.EPERM)
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


class Incoming:
    """One object on its way to disk: a `Sink` that keeps `status`, the one to answer with."""

    def __init__(self, spool: Spool, instance: Instance, meta: bytes, judge: Callable[[bytes], int]) -> None:
        self.instance = instance
        self.status = SUCCESS
        self.size = 0
        self.name = ""
        """In the spool, once there is a file."""
        self._fd = -1
        self._spool = spool
        self._judge = judge
        self._buffer = bytearray(meta)
        self._meta = len(meta)
        self._hash = sha256()
        self._counts = spool.counts
        self._counted = 0, 0
        """Objects, 1 at most, and bytes that its sender was given of its quota."""

    @property
    def sha256(self) -> str:
        """The hash of what was written, in hexadecimal."""
        return self._hash.hexdigest()

    def write(self, fragment: bytes | memoryview) -> None:
        """Take the next bytes; after a refusal they are dropped."""
        if self.status != SUCCESS:
            return
        if len(self._buffer) + len(fragment) - self._meta < HEAD:
            self._buffer += fragment
        else:
            self._flush(fragment)

    def finish(self) -> int:
        """Write what is left, and give the status of the whole."""
        if self.status == SUCCESS:
            self._flush()
        self._close()
        return self.status

    def refuse(self, status: int) -> None:
        """Drop what came and what comes."""
        self.status = status
        self._buffer.clear()
        self.discard()

    def discard(self) -> None:
        """Leave nothing behind."""
        self._close()
        if self._counts is not None:
            self._counts.give_back(self.instance.source_ae, *self._counted)
            self._counted = 0, 0
        if self.name:
            with suppress(OSError):
                self._spool.remove(self.name)

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _flush(self, fragment: bytes | memoryview = b"") -> None:
        """Write what has gathered, and a fragment after it, of which no copy is made."""
        if not self.name:
            head = self._buffer[self._meta :] + fragment[:HEAD]
            if (status := self._judge(bytes(head))) != SUCCESS:
                self.refuse(status)
                return
        if not self._is_within(len(self._buffer) + len(fragment)):
            self.refuse(OUT_OF_RESOURCES)
            return
        try:
            if not self.name:
                self.name, self._fd = self._spool.create()
            for data in (self._buffer, fragment):
                _write_all(self._fd, data)
                self._hash.update(data)
                self.size += len(data)
        except OSError as error:
            self._spool.trouble = error
            self.refuse(OUT_OF_RESOURCES)
            return
        self._meta = 0
        self._buffer.clear()

    def _is_within(self, size: int) -> bool:
        """Whether its sender may send so much more today."""
        objects = 0 if self.name else 1
        if self._counts is None:
            return True
        if not self._counts.take(self.instance.source_ae, objects, size):
            return False
        self._counted = self._counted[0] + objects, self._counted[1] + size
        return True


class Spool:
    """A store and the objects on their way into it."""

    def __init__(self, store: Path, folders: tuple[int, int], layout: Layout) -> None:
        """`folders` are descriptors of the store and of its spool, which is locked."""
        self.store = store
        self.trouble: OSError | None = None
        """Why nothing can be written, a full disk say; nothing is tried until it is set to None."""
        self._root, self._lock = folders
        self._layout = layout
        self._created = 0
        self.counts: Counted | None = None
        """What has come of whom today; None where nothing limits that."""

    def heed(self, quota: Quota) -> None:
        """Take no more of a sender in a day than this from now on."""
        self.counts = Counted(quota, self._root)

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

    def create(self) -> tuple[str, int]:
        """Make an empty file for an object; give its name in the spool, and its descriptor."""
        self._created += 1
        name = str(self._created)
        return name, os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=self._lock)

    def remove(self, name: str) -> None:
        """Throw a file of the spool away."""
        os.unlink(name, dir_fd=self._lock)

    def sync(self) -> bool:
        """Wait until what was written and named is on disk; give whether it is."""
        try:
            if self.counts is not None:
                self.counts.save()
            sync_filesystem(self._lock)
        except OSError as error:
            self.trouble = error
            return False
        return True

    def place(self, group: Sequence[Incoming]) -> tuple[list[Kept], list[Incoming]]:
        """Move files to their places, and give those that have one, and those whose place is taken."""
        kept, namesakes = [], []
        for incoming in group:
            place = self._place(incoming)
            try:
                with self._shard(place) as (folder, name):
                    if _has(folder, name):
                        namesakes.append(incoming)
                        continue
                    os.rename(incoming.name, name, src_dir_fd=self._lock, dst_dir_fd=folder)
            except OSError as error:
                self._lose(incoming, error)
            else:
                kept.append(_kept(incoming, place, Outcome.STORED))
        return kept, namesakes

    def compare(self, namesakes: Sequence[Incoming]) -> list[Kept]:
        """Keep those beside what has their place that are not the same."""
        kept = []
        for incoming in namesakes:
            try:
                kept.append(self._kept_beside(incoming))
            except OSError as error:
                self._lose(incoming, error)
        return kept

    def _kept_beside(self, incoming: Incoming) -> Kept:
        place, outcome = self._place(incoming), Outcome.AGAIN
        with self._shard(place) as (folder, name):
            if not _is_same(folder, name, incoming):
                place = place_beside(place, incoming.sha256)
                beside = place.rpartition("/")[2]
                outcome = Outcome.AGAIN if _has(folder, beside) else Outcome.OTHER
            if outcome is Outcome.OTHER:
                os.rename(incoming.name, beside, src_dir_fd=self._lock, dst_dir_fd=folder)
            else:
                self.remove(incoming.name)
        return _kept(incoming, place, outcome)

    def _place(self, incoming: Incoming) -> str:
        one = incoming.instance
        return self._layout(one.text(STUDY_INSTANCE_UID), one.text(SERIES_INSTANCE_UID), one.sop_instance)

    def _lose(self, incoming: Incoming, error: OSError) -> None:
        self.trouble = error
        incoming.discard()

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


def _kept(incoming: Incoming, place: str, outcome: Outcome) -> Kept:
    return Kept(incoming.instance, place, outcome, incoming.size, incoming.sha256)


def _has(folder: int, name: str) -> bool:
    with suppress(FileNotFoundError):
        os.stat(name, dir_fd=folder, follow_symlinks=False)
        return True
    return False


def _is_same(folder: int, name: str, incoming: Incoming) -> bool:
    """Compare with what has the place; a link never is."""
    there = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISREG(there.st_mode) or there.st_size != incoming.size:
        return False
    with os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder), "rb") as file:
        return file_digest(file, "sha256").hexdigest() == incoming.sha256


def _entered(folder: int, name: str) -> int:
    """Open a folder in another one, made where it is missing."""
    with suppress(FileNotFoundError):
        return os.open(name, _FOLDER, dir_fd=folder)
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=folder)
    return os.open(name, _FOLDER, dir_fd=folder)


def _write_all(fd: int, data: bytes | bytearray | memoryview) -> None:
    written = 0
    while written < len(data):  # a disk that fills up takes a part first
        written += os.write(fd, memoryview(data)[written:] if written else data)
