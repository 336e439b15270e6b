"""What several processes must know of a PACS, and what must outlive them: two small files in the lake's folder `pacs`.

`NAME.json` is how it stands with the PACS, written while the folder is locked. `NAME.pause` is what a person said, and
written by no sweep. Both are caches of the moment: a lake without them is whole. Touches: disk, clock.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from crawler.lake.files import replace_with
from crawler.lake.folders import STANDING

PATIENCE, LOOK_EVERY = 1.0, 0.005
"""Seconds to wait for a process that holds the folder, which should take a hundredth of one."""

Values = dict[str, Any]


class StandingFile:
    """The files of one PACS."""

    def __init__(self, lake: Path, name: str) -> None:
        self._folder = lake / STANDING
        self._standing = self._folder / f"{name}.json"
        self._pause = self._folder / f"{name}.pause"
        self._seen: tuple[int, int] | None = None
        self._has_lake = lake.is_dir()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes away from what is kept, for as short as may be.

        One that was paused while it did so cannot ask anything either, and nobody waits for it. A lake that was taken
        away meanwhile is missed and not begun anew: OSError then.
        """
        self._folder.mkdir(parents=not self._has_lake, exist_ok=True)
        handle = os.open(self._folder, os.O_RDONLY)
        try:
            for _ in range(int(PATIENCE / LOOK_EVERY)):
                with suppress(BlockingIOError):
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                time.sleep(LOOK_EVERY)
            yield
        finally:
            os.close(handle)

    def news(self) -> Values | None:
        """Give what is kept if another process wrote it since this one last looked; None when there is no news."""
        try:
            found = self._standing.stat()
            if (found.st_ino, found.st_mtime_ns) == self._seen:
                return None
            self._seen = (found.st_ino, found.st_mtime_ns)
            return _values(self._standing)
        except OSError:
            return None

    def write(self, values: Mapping[str, Any]) -> None:
        """Keep this, in place of what was kept; only while it is held."""
        replace_with(self._standing, json.dumps(values).encode())
        written = self._standing.stat()
        self._seen = (written.st_ino, written.st_mtime_ns)

    @property
    def pause(self) -> Values | None:
        """What a person said when the PACS was paused; None when it is not."""
        return _values(self._pause) if self._pause.exists() else None

    def set_pause(self, said: Mapping[str, Any] | None) -> None:
        """Write down that the PACS is paused, or that it is no longer."""
        with self.held():
            if said is not None:
                replace_with(self._pause, json.dumps(said).encode())
            else:
                self._pause.unlink(missing_ok=True)


def _values(path: Path) -> Values:
    """Read a file; what is no JSON object counts as empty."""
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
