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
from crawler.retrieve.header import HEAD, SERIES_INSTANCE_UID, STUDY_INSTANCE_UID
from crawler.retrieve.instance import OUT_OF_RESOURCES, SUCCESS, Instance, Kept, Outcome
from crawler.retrieve.layout import SPOOL, Layout, by_hash, place_beside


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
        if self.path:
            with suppress(OSError):
                os.unlink(self.path)

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _flush(self, fragment: bytes | memoryview = b"") -> None:
        """Write what has gathered, and a fragment after it, of which no copy is made."""
        if not self.path:
            head = self._buffer[self._meta :] + fragment[:HEAD]
            if (status := self._judge(bytes(head))) != SUCCESS:
                self.refuse(status)
                return
        try:
            if not self.path:
                self.path, self._fd = self._spool.create()
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


class Spool:
    """A store and the objects on their way into it."""

    def __init__(self, store: Path, lock: int, layout: Layout) -> None:
        self.store = store
        self.trouble: OSError | None = None
        """Why nothing can be written, a full disk say; nothing is tried until it is set to None."""
        self._lock = lock
        self._layout = layout
        self._folder = store / SPOOL
        self._created = 0
        self._known: set[str] = set()

    @staticmethod
    def open(store: Path, layout: Layout = by_hash) -> Spool:
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
        return Spool(store, lock, layout)

    def close(self) -> None:
        """Let others have the store."""
        os.close(self._lock)

    def create(self) -> tuple[str, int]:
        """Make an empty file for an object."""
        self._created += 1
        path = f"{self._folder}/{self._created}"
        return path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)

    def sync(self) -> bool:
        """Wait until what was written and named is on disk; give whether it is."""
        try:
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
            if self._has(place):
                namesakes.append(incoming)
            elif (one := self._moved(incoming, place, Outcome.STORED)) is not None:
                kept.append(one)
        return kept, namesakes

    def compare(self, namesakes: Sequence[Incoming]) -> list[Kept]:
        """Keep those beside what has their place that are not the same."""
        kept = []
        for incoming in namesakes:
            place, outcome = self._place(incoming), Outcome.AGAIN
            try:
                if not self._is_same(place, incoming):
                    place = place_beside(place, incoming.sha256)
                    outcome = Outcome.AGAIN if self._has(place) else Outcome.OTHER
            except OSError as error:
                self.trouble = error
                incoming.discard()
                continue
            if (one := self._moved(incoming, place, outcome)) is not None:
                kept.append(one)
        return kept

    def _place(self, incoming: Incoming) -> str:
        one = incoming.instance
        return self._layout(one.text(STUDY_INSTANCE_UID), one.text(SERIES_INSTANCE_UID), one.sop_instance)

    def _moved(self, incoming: Incoming, place: str, outcome: Outcome) -> Kept | None:
        """Move a file to its place, or throw it away when it is there already."""
        try:
            if outcome is Outcome.AGAIN:
                os.unlink(incoming.path)
            else:
                self._make_shard(place.rpartition("/")[0])
                os.rename(incoming.path, f"{self.store}/{place}")
        except OSError as error:
            self.trouble = error
            incoming.discard()
            return None
        return Kept(incoming.instance, place, outcome, incoming.size, incoming.sha256)

    def _make_shard(self, shard: str) -> None:
        if shard not in self._known:
            os.makedirs(f"{self.store}/{shard}", exist_ok=True)
            self._known.add(shard)

    def _has(self, place: str) -> bool:
        return os.path.lexists(f"{self.store}/{place}")

    def _is_same(self, place: str, incoming: Incoming) -> bool:
        path = self.store / place
        if path.stat().st_size != incoming.size:
            return False
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest() == incoming.sha256


def _write_all(fd: int, data: bytes | bytearray | memoryview) -> None:
    written = 0
    while written < len(data):  # a disk that fills up takes a part first
        written += os.write(fd, memoryview(data)[written:] if written else data)
