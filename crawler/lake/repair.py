"""What a crash may leave at the end of a log, and how it is put right. Touches: disk.

Only the owner of the lake may call this. Nothing is thrown away that a commit ever named.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from urllib.parse import unquote

from crawler.errors import LakeError
from crawler.lake.commits import checkpoints_in, commit_file, log_folder, newest_version, version_in
from crawler.lake.files import sync
from crawler.lake.log import Changes, changes_of
from crawler.lake.parts import part_version
from crawler.lake.schema import ENTITIES

CHECKED_COMMITS = 10
"""How far back from the end commits are checked."""

_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What reading a damaged commit file may raise."""


def mend(lake: Path) -> int:
    """Set bad commits at the end of the log aside and remove what a killed writer left; gives how many were bad."""
    log = log_folder(lake)
    if not (log / "_delta_log").is_dir():
        return 0
    for draft in (log / "_delta_log").glob("*.draft"):
        if version_in(draft.name) is not None:
            draft.unlink()
    bad = 0
    while (version := newest_version(log)) >= 0 and (damage := _damage(log, version, set())):
        if not _can_be_undone(log, version):
            raise LakeError(f"Commit {version} of {log} is bad ({damage}). Type: pacslake repair")
        set_aside(lake, commit_file(log, version))
        bad += 1
        if bad > CHECKED_COMMITS:
            raise LakeError(f"More than {CHECKED_COMMITS} commits of {log} are bad, the last because of {damage}.")
    removed: set[str] = set()
    for version in range(newest_version(log), oldest_checked(log) - 1, -1):
        if damage := _damage(log, version, removed):
            raise LakeError(f"Commit {version} of {log} is bad ({damage}) below good ones. Type: pacslake repair")
        removed |= _changes(log, version).removed.keys()
    _mend_checkpoint(lake)
    _remove_orphans(lake, newest_version(log), keep=bad > 0)
    return bad


def oldest_checked(log: Path) -> int:
    """Give the oldest commit that opening a lake for writing looks at; upkeep keeps it, and all that are newer."""
    return max(0, newest_version(log) - CHECKED_COMMITS)


def _changes(log: Path, version: int) -> Changes:
    return changes_of(commit_file(log, version).read_text(encoding="utf-8").splitlines())


def _damage(log: Path, version: int, removed: set[str]) -> str | None:
    """Say what is wrong with a commit, None where nothing is. Files that later commits removed may be gone."""
    try:
        added = _changes(log, version).added
    except _UNREADABLE as error:
        return f"unreadable commit file: {type(error).__name__}"
    return next(
        (
            f"{name} is missing or has another size"
            for name, size in added.items()
            if name not in removed and not _fits(log, name, size)
        ),
        None,
    )


def _fits(log: Path, name: str, size: int) -> bool:
    file = log / unquote(name)
    return file.is_file() and file.stat().st_size == size


def _can_be_undone(log: Path, version: int) -> bool:
    """Whether the lake of the commit before is still there: upkeep deletes what it replaced, in time."""
    try:
        needed = _changes(log, version).removed
    except _UNREADABLE:
        try:
            needed = _changes(log, version - 1).added
        except _UNREADABLE:
            return True
    return all(_fits(log, name, size) for name, size in needed.items())


def _mend_checkpoint(lake: Path) -> None:
    """Set a checkpoint aside that was torn or is ahead of the log; the log alone is enough to open the table."""
    folder = log_folder(lake) / "_delta_log"
    newest = newest_version(log_folder(lake))
    for path, version in checkpoints_in(log_folder(lake)).items():
        if version > newest or not _is_parquet(path):
            set_aside(lake, path)
    pointer = folder / "_last_checkpoint"
    if not pointer.exists():
        return
    try:
        version = int(json.loads(pointer.read_bytes())["version"])
        whole = version in checkpoints_in(log_folder(lake)).values()
    except (ValueError, KeyError, TypeError, RecursionError):
        whole = False
    if not whole:
        set_aside(lake, pointer)


def _is_parquet(path: Path) -> bool:
    with open(path, "rb") as file:
        head = file.read(4)
        file.seek(-min(4, path.stat().st_size), os.SEEK_END)
        return head == file.read(4) == b"PAR1"


def _remove_orphans(lake: Path, version: int, *, keep: bool) -> None:
    """Remove data files written for commits that never came; keep them in quarantine where commits were set aside."""
    for entity in ENTITIES:
        folder = log_folder(lake) / f"entity={entity}"
        if not folder.is_dir():
            continue
        for entry in list(os.scandir(folder)):
            meant_for = part_version(entry.name)
            if meant_for is None or meant_for <= version:
                continue
            if keep:
                set_aside(lake, Path(entry.path))
            else:
                os.unlink(entry.path)


def set_aside(lake: Path, path: Path) -> None:
    """Move a file to the quarantine under a name that nothing there has yet."""
    quarantine = lake / "quarantine"
    quarantine.mkdir(exist_ok=True)
    target, copies = quarantine / path.name, 1
    while target.exists():
        copies += 1
        target = quarantine / f"{path.name}.{copies}"
    os.rename(path, target)
    sync(quarantine)
    sync(path.parent)
