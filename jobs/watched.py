"""The lake as the service sees it: whether it is at its place, and what was done in it. Touches: disk, network."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import structlog

from crawler.errors import LakeError, NewerLakeError, NoLakeError
from crawler.lake.job_runs import slots_done
from crawler.lake.lock import OwnerLock
from crawler.lake.published import CATALOG
from crawler.lake.remote import StoreError, pull

RECENT = 15.0
"""Seconds."""


class WatchedLake:
    """One whose folder may be moved away, whose disk may go, and whose object store, while the service runs."""

    def __init__(self, path: Path, *, is_copy: bool = False) -> None:
        self._path = path
        self._is_copy = is_copy
        self._log = structlog.get_logger()
        self._done: dict[str, list[datetime]] = {}
        self._read: tuple[int, int] | None = None
        self._read_at = 0.0
        self._reached_at = -RECENT
        self.is_lost = False
        """Whether it was not at its place when that was last looked at."""

    def is_there(self, lock: OwnerLock) -> bool:
        """Look whether the lake that was locked is at its place, and say so when that has changed.

        One in a bucket is there when that answers; what others did there is here then.
        """
        found = lock.is_there and self._is_reached()
        if self.is_lost is found:
            if found:
                self._log.info("the lake is back", lake=self._path)
            else:
                self._log.error("the lake is gone", lake=self._path, until="it is back there, nothing is done")
        self.is_lost = not found
        return found

    def done(self, *, fresh: bool = False) -> dict[str, list[datetime]]:
        """Give the slots that each job was done for. NewerLakeError where a later release wrote the lake.

        What it gave before holds until a commit; at a copy, where others commit elsewhere, for a while, unless it has
        to be `fresh`.
        """
        stamp = self._stamp()
        is_recent = not self._is_copy or (not fresh and time.monotonic() - self._read_at < RECENT)
        if is_recent and stamp is not None and stamp == self._read:
            return self._done
        try:
            self._done = slots_done(self._path)
            self._read, self._read_at = stamp, time.monotonic()
            return self._done
        except NoLakeError:
            return {}
        except NewerLakeError:
            raise
        except StoreError:  # whoever does a job will find that too
            return self._done
        except LakeError as error:  # an older lake, or damaged views: writing in it mends both
            self._log.warning("the ledger cannot be read", reason=str(error))
            return {}

    def _is_reached(self) -> bool:
        if not self._is_copy or time.monotonic() - self._reached_at < RECENT:
            return True
        try:
            pull(self._path)
        except StoreError as error:
            self._log.warning("the object store cannot be used", reason=str(error))
            return False
        self._reached_at = time.monotonic()
        return True

    def _stamp(self) -> tuple[int, int] | None:
        """Say by what the views are known, which each commit replaces; None without any."""
        with suppress(OSError):
            found = (self._path / CATALOG).stat()
            return found.st_ino, found.st_mtime_ns
        return None
