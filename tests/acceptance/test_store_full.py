"""A store that is full: nothing is lost or torn, the PACS and the person are told, and room is all that it takes.

The store is on a file system of some kilobytes, or of a few files. Where none may be mounted, no
file may have more than LONGEST bytes.
"""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crawler.errors import LakeError
from crawler.testing.archive import Archive
from crawler.testing.quirks import Quirks
from tests.acceptance.retrieving import DAYS, HELD, Attempt, files, losses, retrieve, sited
from tests.acceptance.sweeping import ask
from tests.integration.sending import in_layout, left_over

LARGE = Archive(4, *DAYS, seed=11, series_per_study=2, rows=100, columns=100, most_images=4)
LONGEST = 600_000
"""Bytes: moving pictures are longer, and no file of so small a lake."""
ONE_BY_ONE = Quirks(sends_per_second=20)
"""So that what comes first is in its place before there is no room."""
ROOM = "remount,size=20m,nr_inodes=10000"


@contextmanager
def small(store: Path, limit: str) -> Iterator[bool]:
    """Have a file system of this size below `store` while the block runs; False where that is not permitted."""
    store.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", limit, "none", store], capture_output=True)
    try:
        yield done.returncode == 0
    finally:
        if done.returncode == 0:
            subprocess.run(["umount", store], check=True)


@contextmanager
def short_files(*, wanted: bool, longest: int = LONGEST) -> Iterator[None]:
    """Where that is wanted, let no longer file be written."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (longest, before[1]) if wanted else before)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    ("way", "limit", "archive"), [("move", "size=200k", LARGE), ("get", "nr_inodes=16", HELD)], ids=["bytes", "files"]
)
def test_a_full_store_is_told_and_the_next_run_goes_on(
    tmp_path: Path, way: str, limit: str, archive: Archive, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    with small(store, limit) as mounted:
        attempt = Attempt(ONE_BY_ONE, archive if mounted else LARGE, way, associations=1)
        with sited(tmp_path, attempt) as (settings, pacs):
            with short_files(wanted=not mounted):
                assert retrieve(settings) == 3
            said = capsys.readouterr().err
            trouble = "is full (No space left on device): make room" if mounted else "cannot be written: File too large"
            assert f"  It was left because the store {store} {trouble}" in said
            assert "offline" not in said
            assert mounted <= len(files(settings)) == len(in_layout(store)) < 11
            assert not left_over(store)
            wrong, missing = losses(settings, attempt.archive)
            assert (wrong, bool(missing)) == ([], True)
            if attempt.archive == LARGE:  # else it was answered with success, and had no place then
                assert ask(tmp_path, "select max(failed) > 0 from retrieval_history") == [(True,)]
            if mounted:
                subprocess.run(["mount", "-o", ROOM, store], check=True)
            assert retrieve(settings) == 0
            assert losses(settings, attempt.archive) == ([], frozenset())
            assert pacs.counts.stores < 11 + 6


def test_a_lake_that_cannot_be_written_is_told_and_harms_nothing(tmp_path: Path) -> None:
    with sited(tmp_path, Attempt()) as (settings, _):
        with short_files(wanted=True, longest=50_000), pytest.raises(LakeError, match="look whether its disk is full"):
            retrieve(settings)
        assert retrieve(settings) == 0
        assert losses(settings, HELD) == ([], frozenset())
