"""How much is taken of each sender in a day, UTC, counted over all that receives into a store.

A PACS that runs wild, or who passes for one, fills no disk before somebody looks. What has been taken is kept in the
store, after each group that is on disk: a crash forgets what the last one had. Touches: disk, clock, log.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import structlog

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
    """Counts what comes; `folder` is a descriptor of the store."""

    def __init__(self, quota: Quota, folder: int) -> None:
        self._quota = quota
        self._folder = folder
        self._day = _today()
        self._told: set[str] = set()
        self._taken: Taken = {}
        with suppress(OSError), open(FILE, "rb", opener=self._opened) as file:
            self._taken = _read(file.read())

    def is_spent(self, ae_title: str) -> bool:
        """Whether not even an empty object of a sender is taken any more today."""
        objects, size = self._of(ae_title)
        return not self._fits(ae_title, (objects + 1, size + 1))

    def take(self, ae_title: str, objects: int, size: int) -> bool:
        """Count what comes; false, and nothing is counted, where it is too much."""
        before = self._of(ae_title)
        taken = before[0] + objects, before[1] + size
        if not self._fits(ae_title, taken):
            return False
        self._taken[ae_title] = taken
        return True

    def give_back(self, ae_title: str, objects: int, size: int) -> None:
        """Count no longer what was not kept."""
        before = self._of(ae_title)
        self._taken[ae_title] = max(before[0] - objects, 0), max(before[1] - size, 0)

    def save(self) -> None:
        """Write it down. OSError."""
        said = json.dumps({"day": self._day, "taken": self._taken}).encode()
        with open(_NEW, "wb", opener=self._opened) as file:
            file.write(said)
        os.rename(_NEW, FILE, src_dir_fd=self._folder, dst_dir_fd=self._folder)

    def _opened(self, name: str, flags: int) -> int:
        return os.open(name, flags | os.O_NOFOLLOW, 0o600, dir_fd=self._folder)

    def _of(self, ae_title: str) -> tuple[int, int]:
        if self._day != (today := _today()):
            self._day, self._taken = today, {}
            self._told.clear()
        return self._taken.get(ae_title, (0, 0))

    def _fits(self, ae_title: str, taken: tuple[int, int]) -> bool:
        if self._quota.allows(taken):
            return True
        if ae_title not in self._told:
            self._told.add(ae_title)
            objects, size = self._of(ae_title)
            structlog.get_logger().warning(
                "what a sender may send in a day is used up", ae_title=ae_title, objects=objects, bytes=size
            )
        return False


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
