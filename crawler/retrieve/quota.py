"""How much is taken of each sender in a day, UTC, counted over all that receives into a store.

A PACS that runs wild, or who passes for one, fills no disk before somebody looks. What has been taken is kept in the
store, after each group that is on disk: a crash forgets what the last one had. Touches: disk, clock, log.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from crawler.model import Quota

FILE = "received.json"
"""In the store, where there are quotas."""
_NEW = f"{FILE}.new"


Taken = dict[str, tuple[int, int]]
"""Objects and bytes by AE title."""


def taken_today(store: Path) -> Taken:
    """Give what a store has taken today, as far as it was written down."""
    with suppress(OSError):
        return _read((store / FILE).read_bytes())
    return {}


class Counted:
    """Counts what comes. `tell` is told once in a day of each sender who has used it up, and of what that was."""

    def __init__(self, quota: Quota, taken: Taken, tell: Callable[[str, int, int], None]) -> None:
        self._quota = quota
        self._tell = tell
        self._day = _today()
        self._told: set[str] = set()
        self._taken = dict(taken)

    @property
    def taken(self) -> Taken:
        """What has been taken today."""
        self._turn()
        return self._taken

    def is_spent(self, ae_title: str) -> bool:
        """Whether not even an empty object of a sender is taken any more today."""
        objects, size = self.taken.get(ae_title, (0, 0))
        return not self._quota.allows((objects + 1, size + 1))

    def take(self, ae_title: str, objects: int, size: int) -> bool:
        """Count what comes; false, and nothing is counted, where it is too much."""
        before = self.taken.get(ae_title, (0, 0))
        if not self._quota.allows((before[0] + objects, before[1] + size)):
            self.spent(ae_title)
            return False
        self.add(ae_title, objects, size)
        return True

    def add(self, ae_title: str, objects: int, size: int) -> None:
        """Count what has come; less than nothing for what was not kept."""
        before = self.taken.get(ae_title, (0, 0))
        self._taken[ae_title] = max(before[0] + objects, 0), max(before[1] + size, 0)

    def spent(self, ae_title: str) -> None:
        """Tell that a sender wanted to send more, unless that was told."""
        objects, size = self.taken.get(ae_title, (0, 0))
        if ae_title not in self._told:
            self._told.add(ae_title)
            self._tell(ae_title, objects, size)

    def _turn(self) -> None:
        if self._day != (today := _today()):
            self._day, self._taken = today, {}
            self._told.clear()


def say_spent(ae_title: str, objects: int, size: int) -> None:
    """Say in the log that a sender has used it up."""
    import structlog  # takes 0.1 s, which the process that listens need not wait

    structlog.get_logger().warning(
        "what a sender may send in a day is used up", ae_title=ae_title, objects=objects, bytes=size
    )


def written_down(folder: int) -> Taken:
    """Give what a store has taken today, given a descriptor of it."""
    with suppress(OSError), open(FILE, "rb", opener=_in(folder)) as file:
        return _read(file.read())
    return {}


def write_down(taken: Taken, folder: int) -> None:
    """Keep it in the store. OSError."""
    said = json.dumps({"day": _today(), "taken": taken}).encode()
    with open(_NEW, "wb", opener=_in(folder)) as file:
        file.write(said)
    os.rename(_NEW, FILE, src_dir_fd=folder, dst_dir_fd=folder)


def _in(folder: int) -> Callable[[str, int], int]:
    return lambda name, flags: os.open(name, flags | os.O_NOFOLLOW, 0o600, dir_fd=folder)


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _read(said: bytes) -> Taken:
    """Read what was written down; what is of another day, or broken, counts for nothing."""
    try:
        known = json.loads(said)
        if known["day"] != _today():
            return {}
        return {str(ae_title): (int(objects), int(size)) for ae_title, (objects, size) in known["taken"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
