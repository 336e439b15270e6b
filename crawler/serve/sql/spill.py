"""The folder of a process that answers SQL, for what does not fit into memory. Touches: disk."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

_PREFIX = "pacslake-sql-"


class Spill:
    """A folder for this user alone, locked while whoever made it lives.

    Making one removes those whose makers were killed: patients' data may lie in them.
    """

    def __init__(self) -> None:
        _remove_abandoned()
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
            lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self.path.exists():  # or another took it for abandoned before it was locked
                break
            os.close(lock)
        self._held = ExitStack()
        self._held.callback(os.close, lock)
        self._held.callback(shutil.rmtree, self.path, ignore_errors=True)

    def remove(self) -> None:
        """Remove the folder with what is in it; once more does nothing."""
        self._held.close()


def _remove_abandoned() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # it is another user's, in use, or gone meanwhile
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(lock).st_uid == os.getuid():
                    shutil.rmtree(folder)
            finally:
                os.close(lock)
