"""Objects on their way to disk: each is a file of the spool while it comes. Touches: disk."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256

from crawler.retrieve.header import HEAD
from crawler.retrieve.instance import OUT_OF_RESOURCES, SUCCESS, Instance
from crawler.retrieve.quota import Counted


@dataclass(frozen=True, slots=True)
class Arrived:
    """An object that lies in the spool whole."""

    instance: Instance
    name: str
    """In the spool."""
    size: int
    sha256: str
    """The hash of what was written, in hexadecimal."""


class Intake:
    """The spool as those see it who fill it; `prefix` begins the names of their files, and of nobody else's."""

    def __init__(self, folder: int, prefix: str = "", counts: Counted | None = None) -> None:
        """`folder` is a descriptor of the spool."""
        self.trouble: OSError | None = None
        """Why nothing can be written, a full disk say; nothing is tried until it is set to None."""
        self.counts = counts
        """What has come of whom today; None where nothing limits that."""
        self._folder = folder
        self._prefix = prefix
        self._created = 0

    def is_spent(self, ae_title: str) -> bool:
        """Whether nothing is taken of a sender any more today."""
        return self.counts is not None and self.counts.is_spent(ae_title)

    def create(self) -> tuple[str, int]:
        """Make an empty file for an object; give its name in the spool, and its descriptor."""
        self._created += 1
        name = f"{self._prefix}{self._created}"
        return name, os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=self._folder)

    def remove(self, name: str) -> None:
        """Throw a file of the spool away."""
        os.unlink(name, dir_fd=self._folder)


class Incoming:
    """One object on its way to disk: a `Sink` that keeps `status`, the one to answer with."""

    def __init__(self, intake: Intake, instance: Instance, meta: bytes, judge: Callable[[bytes], int]) -> None:
        self.instance = instance
        self.status = SUCCESS
        self.size = 0
        self.name = ""
        """In the spool, once there is a file."""
        self._fd = -1
        self._intake = intake
        self._judge = judge
        self._buffer = bytearray(meta)
        self._meta = len(meta)
        self._hash = sha256()
        self._counts = intake.counts
        self._counted = 0, 0
        """Objects, 1 at most, and bytes that its sender was given of its quota."""

    @property
    def arrived(self) -> Arrived:
        """What has come, once `finish` gave success."""
        return Arrived(self.instance, self.name, self.size, self._hash.hexdigest())

    def write(self, fragment: bytes | memoryview) -> None:
        """Take the next bytes; after a refusal they are dropped."""
        if self.status != SUCCESS:
            return
        if len(self._buffer) + len(fragment) - self._meta < HEAD:
            self._buffer += fragment
        else:
            self._flush(fragment)

    def finish(self) -> int:
        """Write what is left, and give the status of the whole: the same when it is called again."""
        if self.status == SUCCESS and (self._fd >= 0 or not self.name):
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
            self._counts.add(self.instance.source_ae, -self._counted[0], -self._counted[1])
            self._counted = 0, 0
        if self.name:
            with suppress(OSError):
                self._intake.remove(self.name)

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
                self.name, self._fd = self._intake.create()
            for data in (self._buffer, fragment):
                _write_all(self._fd, data)
                self._hash.update(data)
                self.size += len(data)
        except OSError as error:
            self._intake.trouble = error
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


def _write_all(fd: int, data: bytes | bytearray | memoryview) -> None:
    written = 0
    while written < len(data):  # a disk that fills up takes a part first
        written += os.write(fd, memoryview(data)[written:] if written else data)
