"""One owner per lake. Touches: disk."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path

from crawler.errors import LakeLockedError


class OwnerLock:
    """Held from its making until `release` or the end of the process, however that comes."""

    def __init__(self, lake: Path) -> None:
        self._file = open(lake / "lock", "a+", encoding="utf-8")  # noqa: SIM115  # held open: the lock lives as long as it
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            owner = self._file.read().strip() or "another process"
            self._file.close()
            raise LakeLockedError(f"The lake at {lake} is in use by {owner}. Wait for it, or stop it.") from None
        self._file.truncate(0)
        self._file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        self._file.flush()

    def release(self) -> None:
        """Let the lake go."""
        self._file.close()

    def __enter__(self) -> OwnerLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
