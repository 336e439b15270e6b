"""One owner per lake, and one service. Touches: disk, clock."""

from __future__ import annotations

import fcntl
import os
import socket
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from crawler.errors import LakeLockedError

_FREE = "free\n"
"""What an owner writes who lets the lake go."""


def is_let_go(lake: Path, file: str = "lock") -> bool:
    """Tell whether nobody owns it: its last owner has surely ended, or there was none."""
    path = lake / file
    return not path.exists() or path.read_text(encoding="utf-8") == _FREE


class OwnerLock:
    """Held from its making until `release` or the end of the process, however that comes."""

    def __init__(self, lake: Path, file: str = "lock", what: str = "in use by") -> None:
        self._path = lake / file
        self._file = open(self._path, "a+", encoding="utf-8")  # noqa: SIM115  # held open: the lock lives as long as it
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = self._said().strip().removesuffix(_FREE.strip()) or "another process"
            self._file.close()
            raise LakeLockedError(f"The lake at {lake} is {what} {owner}. Wait for it, or stop it.") from None
        self.was_let_go = self._said() == _FREE
        """Whether the owner before has surely ended. One that was cut off may be paused, with its lock gone."""
        since = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
        try:
            self._write(f"process {os.getpid()} on {socket.gethostname()} since {since}\n")
        except OSError:
            self.release()
            raise

    @property
    def is_there(self) -> bool:
        """Whether the lake still has it: not where its folder was moved away, or its disk is gone."""
        with suppress(OSError):
            return os.path.samestat(os.fstat(self._file.fileno()), os.stat(self._path))
        return False

    def release(self) -> None:
        """Let the lake go."""
        if not self._file.closed:
            with suppress(OSError):  # where the disk is full the next owner cannot know that this one has ended
                self._write(_FREE)
            with suppress(OSError):  # closed all the same
                self._file.close()

    def _said(self) -> str:
        self._file.seek(0)
        return self._file.read()

    def _write(self, text: str) -> None:
        self._file.truncate(0)
        self._file.write(text)
        self._file.flush()

    def __enter__(self) -> OwnerLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
