"""Objects on disk: written as they come, made durable in groups, then moved to their place.

A file has its name in the layout only when its bytes are on disk, and is reported only when its name is too: whatever
is killed when, a file in the layout is whole. What has no place yet lies in the spool and is thrown away at the next
start. One process owns a store. Touches: disk.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from hashlib import file_digest, sha256
from pathlib import Path

from crawler.errors import UserError
from crawler.retrieve.durable import sync_filesystem
from crawler.retrieve.header import HEAD
from crawler.retrieve.instance import OUT_OF_RESOURCES, SUCCESS, Instance, Kept, Outcome
from crawler.retrieve.layout import SPOOL, place_beside, place_of

_LARGE = 32 * 1024
"""Bytes of a fragment that is written by itself; smaller ones gather until they are a `HEAD`."""


class Incoming:
    """One object on its way to disk: a `Sink` that keeps `status`, the one to answer with."""

    def __init__(self, spool: Spool, instance: Instance, meta: bytes, judge: Callable[[bytes], int]) -> None:
        self.instance = instance
        self.status = SUCCESS
        self.size = 0
        self.path = ""
        self._fd = -1
        self._spool = spool
        self._judge = judge
        self._buffer = bytearray(meta)
        self._meta = len(meta)
        self._hash = sha256()

    @property
    def sha256(self) -> str:
        """The hash of what was written, in hexadecimal."""
        return self._hash.hexdigest()

    def write(self, fragment: bytes | memoryview) -> None:
        """Take the next bytes; after a refusal they are dropped."""
        if self.status != SUCCESS:
            return
        if self.path and not self._buffer and len(fragment) >= _LARGE:
            self._write_out(fragment)
            return
        self._buffer += fragment
        if len(self._buffer) >= HEAD + self._meta:
            self._flush()

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
        if self.path:
            with suppress(OSError):
                os.unlink(self.path)

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _flush(self) -> None:
        if not self.path and (status := self._judge(bytes(self._buffer[self._meta :]))) != SUCCESS:
            self.refuse(status)
        elif self._write_out(self._buffer):
            self._buffer.clear()

    def _write_out(self, data: bytes | bytearray | memoryview) -> bool:
        try:
            if not self.path:
                self.path, self._fd = self._spool.create()
            _write_all(self._fd, data)
        except OSError as error:
            self._spool.trouble = error
            self.refuse(OUT_OF_RESOURCES)
            return False
        self._hash.update(data)
        self.size += len(data)
        return True


class Spool:
    """A store and the objects on their way into it."""

    def __init__(self, store: Path, lock: int) -> None:
        self.store = store
        self.trouble: OSError | None = None
        """Why nothing can be written, a full disk say; nothing is tried until it is set to None."""
        self._lock = lock
        self._folder = store / SPOOL
        self._created = 0
        self._known: set[str] = set()

    @staticmethod
    def open(store: Path) -> Spool:
        """Make the store or take it over, and throw away what another owner left half done. UserError when it lives."""
        folder = store / SPOOL
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise UserError(f"Another process receives into {store}. Wait until it ends, or stop it.") from None
        for left in folder.iterdir():
            left.unlink()
        return Spool(store, lock)

    def close(self) -> None:
        """Let others have the store."""
        os.close(self._lock)

    def create(self) -> tuple[str, int]:
        """Make an empty file for an object."""
        self._created += 1
        path = f"{self._folder}/{self._created}"
        return path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)

    def settle(self, group: Sequence[Incoming]) -> list[Kept]:
        """Make a group durable and move it to its places. What fails on the way is lost and not among the answer."""
        if not self._synced():
            for incoming in group:
                incoming.discard()
            return []
        kept = [one for incoming in group if (one := self._placed(incoming)) is not None]
        return kept if self._synced() else []

    def _synced(self) -> bool:
        try:
            sync_filesystem(self._lock)
        except OSError as error:
            self.trouble = error
            return False
        return True

    def _placed(self, incoming: Incoming) -> Kept | None:
        """Move a file to its place."""
        digest, place = incoming.sha256, place_of(incoming.instance.sop_instance)
        outcome = Outcome.STORED
        try:
            self._make_shard(place.rpartition("/")[0])
            is_new = not self._has(place)
            if not is_new and not self._is_same(place, incoming.size, digest):
                outcome, place = Outcome.OTHER, place_beside(place, digest)
                is_new = not self._has(place)
            if is_new:
                os.rename(incoming.path, f"{self.store}/{place}")
            else:
                outcome = Outcome.AGAIN
                os.unlink(incoming.path)
        except OSError as error:
            self.trouble = error
            incoming.discard()
            return None
        return Kept(incoming.instance, place, outcome, incoming.size, digest)

    def _make_shard(self, shard: str) -> None:
        if shard not in self._known:
            os.makedirs(f"{self.store}/{shard}", exist_ok=True)
            self._known.add(shard)

    def _has(self, place: str) -> bool:
        return os.path.lexists(f"{self.store}/{place}")

    def _is_same(self, place: str, size: int, digest: str) -> bool:
        path = self.store / place
        if path.stat().st_size != size:
            return False
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest() == digest


def _write_all(fd: int, data: bytes | bytearray | memoryview) -> None:
    written = os.write(fd, data)
    while written < len(data):  # a disk that fills up takes a part first
        written += os.write(fd, memoryview(data)[written:])
