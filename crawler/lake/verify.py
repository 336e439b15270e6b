"""Whether a lake is, to the bit, what was written, and whether what it says fits together. Touches: disk.

Reads only and needs no lock: a sweep may go on meanwhile. Each kind of file has its own witness. Data files bear the
digest of their content in their name, commits end with their checksum, checkpoints have theirs beside them, the key
index in its manifest, and `lake.duckdb` beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from crawler.errors import LakeError, NewerLakeError
from crawler.lake.answer import plain_errors
from crawler.lake.coherence import incoherent
from crawler.lake.commits import checkpoints_in, commit_file, log_folder, newest_version, version_in
from crawler.lake.files import digest
from crawler.lake.flaws import Flaw, Harm
from crawler.lake.format import FORMAT_KEY
from crawler.lake.keys import damaged_runs
from crawler.lake.lock import is_let_go
from crawler.lake.log import Log, changes_of, open_table
from crawler.lake.parts import is_as_named, part_digest, part_version
from crawler.lake.published import CATALOG, is_published
from crawler.lake.query import Lake
from crawler.lake.remote import no_lake, pull, remote_of
from crawler.lake.schema import ENTITIES
from crawler.lake.seal import is_sealed, is_whole, without_its_digest
from crawler.lake.there import lacking

PUBLISHED_WITHIN = 5.0
"""Seconds that an owner of the lake may take after a commit for what is made from it."""


@dataclass(slots=True)
class Verified:
    """What was looked at, what is wrong and what could not be judged."""

    files: int = 0
    size: int = 0
    flaws: list[Flaw] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def verify(path: Path) -> Verified:
    """Check all of a lake. NoLakeError where there is none, NewerLakeError where this release cannot know."""
    lake, seen = path.absolute(), Verified()
    pull(lake)
    version = newest_version(log_folder(lake))
    if version < 0:
        raise no_lake(lake)
    seen.flaws += flaws_of_log(log_folder(lake))
    if not seen.flaws:
        seen.flaws += _unreadable(lake)
    if seen.flaws:
        seen.notes.append(
            "data files and tables were not judged, because the log is broken; repair it, then verify again"
        )
        return seen
    log = Log(log_folder(lake), open_table(lake))
    if strangers := sum(1 for path in log.folder.rglob("*") if path.is_file() and not _is_ours(path)):
        seen.notes.append(f"{strangers:,} files in the log are none of the lake's, and are left alone")
    seen.flaws += _data(log, seen)
    if remote := remote_of(lake):
        seen.flaws += lacking(remote, log)
    if any(flaw.harm is Harm.DATA for flaw in seen.flaws):
        seen.notes.append("the rows and lake.duckdb were not judged, because files of theirs are broken")
        caches = _settled(lake, version, lambda: _keys(lake))
    else:
        with Lake(lake) as opened, plain_errors():
            seen.flaws += [Flaw(Harm.ROWS, table, said) for table, said in incoherent(opened)]
        caches = _settled(lake, version, lambda: [*_keys(lake), *_catalog(lake, log)])
    if newest_version(log.folder) == version:
        seen.flaws += caches
    elif caches:
        seen.notes.append("the key index and lake.duckdb were not judged: somebody committed meanwhile")
    return seen


def _settled(lake: Path, version: int, judge: Callable[[], Iterable[Flaw]]) -> list[Flaw]:
    """Judge what is written after a commit: while the lake has an owner again, for it may be just about to be right."""
    until = time.monotonic() + PUBLISHED_WITHIN
    while True:
        let_go = is_let_go(lake)
        flaws = list(judge())
        committed = newest_version(log_folder(lake)) != version
        if not flaws or let_go or committed or time.monotonic() > until:
            return flaws
        time.sleep(0.1)


def flaws_of_log(log: Path) -> list[Flaw]:
    """Check every commit and checkpoint."""
    return [*_commits(log), *_checkpoints(log)]


def _unreadable(lake: Path) -> Iterator[Flaw]:
    try:
        Log(log_folder(lake), open_table(lake))
    except NewerLakeError:
        raise
    except LakeError:
        yield Flaw(Harm.LOG, "log/_delta_log", "cannot be read as a Delta table")


def _commits(log: Path) -> Iterator[Flaw]:
    """Check each commit against its checksum; those of earlier releases have none, up to the first that has."""
    found = (version_in(path.name) for path in (log / "_delta_log").glob("*.json"))
    numbers = sorted(number for number in found if number is not None)
    sealing = False
    for number in range(min(numbers[0], _first_needed(log)), numbers[-1] + 1):
        path = commit_file(log, number)
        said = f"log/_delta_log/{path.name}"
        if not path.exists():
            yield Flaw(Harm.LOG, said, "is missing")
            continue
        content = path.read_bytes()
        sealing = sealing or is_sealed(content) or FORMAT_KEY.encode() in content
        if not (is_whole(content) if sealing else _parses(content)):
            yield Flaw(Harm.LOG, said, "is not what was written")


def _parses(commit: bytes) -> bool:
    try:
        changes_of(commit.decode().splitlines())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False
    return True


def _first_needed(log: Path) -> int:
    """Give the first commit that no checkpoint sums up, going by the oldest one."""
    return min(checkpoints_in(log).values(), default=-1) + 1


def _checkpoints(log: Path) -> Iterator[Flaw]:
    """Check each checkpoint, and the file that names the last one, against the checksums noted beside it.

    One without checksums is of an earlier release, or its writer was killed: nobody can judge it.
    """
    folder = log / "_delta_log"
    pointer = folder / "_last_checkpoint"
    noted = sorted(path for path in folder.glob("*.checkpoint.sha256") if version_in(path.name) is not None)
    for path in noted:
        sums = without_its_digest(path.read_bytes())
        checkpoint = path.with_suffix(".parquet")
        if sums is None:
            yield Flaw(Harm.LOG, f"log/_delta_log/{path.name}", "is not what was written")
        elif not checkpoint.is_file() or digest(checkpoint) not in sums:
            yield Flaw(Harm.LOG, f"log/_delta_log/{checkpoint.name}", "is not what was written")
        elif path == noted[-1] and pointer.is_file() and digest(pointer) not in sums:
            newer = any(later > checkpoint for later in checkpoints_in(log))
            if not newer:
                yield Flaw(Harm.LOG, f"log/_delta_log/{pointer.name}", "is not what was written")


def _data(log: Log, seen: Verified) -> Iterator[Flaw]:
    """Check each data file against the digest in its name; those that were replaced too, as long as they are there."""
    old = 0
    for file in log.files:
        path = log.folder / file.path
        seen.files += 1
        if not path.is_file():
            yield Flaw(Harm.DATA, f"log/{file.path}", "is missing")
            continue
        seen.size += path.stat().st_size
        old += part_digest(path.name) is None
        if path.stat().st_size != file.size or not is_as_named(path):
            yield Flaw(Harm.DATA, f"log/{file.path}", "is not what was written")
    if old:
        seen.notes.append(
            f"{old:,} files of an earlier release bear no digest; `pacslake maintain --whole` gives them one"
        )
    active = {file.path for file in log.files}
    for entity in ENTITIES:
        for path in sorted((log.folder / f"entity={entity}").glob("*.parquet")):
            name, version = f"{path.parent.name}/{path.name}", part_version(path.name)
            replaced = name not in active and version is not None and version <= log.version
            if replaced and not is_as_named(path):
                yield Flaw(Harm.LEFTOVER, f"log/{name}", "is not what was written")


def _is_ours(path: Path) -> bool:
    if path.parent.name == "_delta_log":
        return path.name == "_last_checkpoint" or version_in(path.name) is not None
    return path.suffix == ".parquet" and part_version(path.name) is not None


def _catalog(lake: Path, log: Log) -> Iterator[Flaw]:
    if not is_published(lake, log):
        yield Flaw(Harm.CACHE, CATALOG, "is not what this release writes for the newest commit")


def _keys(lake: Path) -> Iterator[Flaw]:
    if remote_of(lake) and not (lake / "keys" / "manifest.json").exists():
        return  # a copy in which nobody writes has no index
    for name in damaged_runs(lake / "keys"):
        yield Flaw(Harm.CACHE, f"keys/{name}", "is not what was written")
