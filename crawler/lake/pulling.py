"""Bringing a working copy up to its object store, before anybody reads it. Touches: network, disk.

Data files come first, each under its name only when it is whole and on disk, then checkpoint and commits in their
order: whatever is killed, the copy is a lake as it was at some commit.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from crawler.errors import LakeError
from crawler.lake.commits import checkpoint_sums, commit_file, log_folder, newest_version, version_in
from crawler.lake.files import sync
from crawler.lake.parts import DIGEST, part_digest
from crawler.lake.remote import COMMITS, FOLDER, LOG, GoneError, Listed, Remote, at_once
from crawler.lake.seal import is_sealed, is_whole, without_its_digest

POINTER = "_last_checkpoint"
MOST_COMMITS = 400
"""So many commits are fetched one by one; a copy that is farther behind begins at a checkpoint."""
COMMITS_BELOW = 10
"""Commits that a copy has at least, since opening it for writing looks at so many (`repair.CHECKED_COMMITS`)."""
TIDY_EVERY = 100
"""Commits after which a copy deletes what they replaced, as `maintain` does where a lake is at home."""
_TRIES = 3
"""How often a copy begins anew to fetch what upkeep deleted meanwhile."""


@dataclass(slots=True)
class News:
    """What the store has that the copy lacks."""

    commits: dict[int, Listed]
    pointer: Listed | None
    read: dict[int, bytes] = field(default_factory=dict)


def bring_up(remote: Remote) -> None:
    """Fetch what is new in the store, and show it in `lake.duckdb`.

    StoreError where the store cannot be asked, LakeError where it is not the one that this is a copy of.
    """
    with remote.alone():
        remote.sweep_drafts()
        for attempt in range(_TRIES):
            try:
                _pull(remote)
            except GoneError:
                if attempt + 1 == _TRIES:
                    raise
            else:
                return


def begin_anew(remote: Remote) -> None:
    """Fetch the log as if there were none here. StoreError, and the next who reads tries it again."""
    _empty(log_folder(remote.lake))
    _pull(remote)


def fetch_file(remote: Remote, name: str) -> None:
    """Fetch a data file in the place of what is here. StoreError where the store does not have it whole."""
    told = part_digest(name.rpartition("/")[2])
    remote.fetch(name, lambda found, _: told is None or found[:DIGEST] == told)


def _pull(remote: Remote) -> None:
    log = log_folder(remote.lake)
    newest = newest_version(log)
    after = f"{COMMITS}{newest - 1:020d}.json" if newest > 0 else None
    listed = {Path(one.name).name: one for one in remote.listed(COMMITS, after)}
    found = {version_in(name): one for name, one in listed.items() if name.endswith(".json")}
    commits = {version: one for version, one in found.items() if version is not None and version >= newest}
    if not commits and newest < 0:
        return
    _require_same(remote, newest, commits)
    news = News({version: one for version, one in commits.items() if version > newest}, listed.get(POINTER))
    if news.commits:
        wanted = list(range(newest + 1, max(news.commits) + 1))
        known = newest < 0 or newest in commits
        if known and wanted == sorted(news.commits) and len(wanted) <= MOST_COMMITS:
            _follow(remote, news)
        else:
            _begin_anew(remote, news)
    last = max(commits, default=newest)
    if remote.seen() != (last, commits[last].tag):
        _show(remote, tidies=any(version % TIDY_EVERY == 0 for version in news.commits))
        remote.note_seen(last, commits[last].tag)


def _require_same(remote: Remote, newest: int, commits: Mapping[int, Listed]) -> None:
    """LakeError where the store does not have the commits of the copy, but others."""
    same = commits.get(newest)
    if newest < 0 or (same is None and commits):  # that of a copy that is far behind may have been summed up
        return
    ours = commit_file(log_folder(remote.lake), newest)
    if same is not None and (remote.seen() == (newest, same.tag) or remote.read(same.name) == ours.read_bytes()):
        return
    raise LakeError(
        f"{remote.url} is not the lake that {remote.lake} is a copy of: it lacks commit {newest}, or has another. "
        f"If what is there is right, remove {remote.lake}/{LOG}, and it is fetched anew."
    )


def _follow(remote: Remote, news: News) -> None:
    """Fetch commits that follow those of the copy."""
    log = log_folder(remote.lake)
    _read(remote, news, sorted(news.commits))
    files: dict[str, int] = {}
    for version in sorted(news.read):
        added, removed, loses = files_of(news.read[version])
        files |= added
        for name in removed:
            files.pop(name, None)
        if loses:  # rows may be gone that the key index knows
            (remote.lake / "keys" / "manifest.json").unlink(missing_ok=True)
    _fetch_data(remote, files)
    for version in sorted(news.read):
        remote.place_file(commit_file(log, version), news.read[version])
    if news.pointer is not None:
        _fetch_checkpoint(remote, version_of(remote.read(news.pointer.name)), log)


def _begin_anew(remote: Remote, news: News) -> None:
    """Fetch a checkpoint and what follows it, in the place of all commits of the copy."""
    log, stage = log_folder(remote.lake), log_folder(remote.lake / FOLDER)
    _empty(stage)
    base = version_of(remote.read(news.pointer.name)) if news.pointer else -1
    if base >= 0 and not _fetch_checkpoint(remote, base, stage):
        base = -1
    last = max(news.commits)
    first = max(min(news.commits), min(base + 1, last - COMMITS_BELOW))
    wanted = range(first, last + 1)
    if first > base + 1 or not news.commits.keys() >= set(wanted):
        raise GoneError(f"{remote.url} lacks commits below {last}, and has no checkpoint that sums them up.")
    _read(remote, news, wanted)
    for version in wanted:
        remote.place_file(commit_file(stage, version), news.read[version])
    _fetch_data(remote, _active(remote))
    (remote.lake / "keys" / "manifest.json").unlink(missing_ok=True)
    _empty(log)
    *others, final = sorted((stage / "_delta_log").iterdir(), key=lambda path: (path.suffix == ".json", path.name))
    for path in others:
        path.replace(log / "_delta_log" / path.name)
    sync(log / "_delta_log")
    final.replace(log / "_delta_log" / final.name)
    sync(log / "_delta_log")


def _empty(log: Path) -> None:
    """Make a log without commits. The newest goes first, so that what is left is a log as it was."""
    folder = log / "_delta_log"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / POINTER).unlink(missing_ok=True)
    for path in sorted(folder.iterdir(), reverse=True):
        path.unlink()


def _active(remote: Remote) -> dict[str, int]:
    """Give the files of the newest commit and their sizes. LakeError where the copy was of another table."""
    from crawler.lake.log import opened, read_files

    lake, table = remote.lake, opened(remote.lake / FOLDER)
    if newest_version(log_folder(lake)) >= 0 and opened(lake).metadata().id != table.metadata().id:
        raise LakeError(f"In {remote.url} another lake was begun: remove {lake}/{LOG}, and it is fetched anew.")
    return {file.path: file.size for file in read_files(table)}


def _read(remote: Remote, news: News, versions: Iterable[int]) -> None:
    """Read commits, each of which has to be what was written."""

    def one(version: int) -> bytes:
        content = remote.read(news.commits[version].name)
        if is_sealed(content) and not is_whole(content):
            raise LakeError(f"Commit {version} of {remote.url} is not what was written: restore it from a backup.")
        return content

    wanted = list(versions)
    news.read = dict(zip(wanted, at_once(one, wanted), strict=True))


def files_of(commit: bytes) -> tuple[dict[str, int], list[str], bool]:
    """Give which files a commit adds, with sizes, which it removes, and whether rows may go with these."""
    actions: list[dict[str, Any]] = [json.loads(line) for line in commit.decode().splitlines() if line.strip()]
    removed = [one["remove"] for one in actions if "remove" in one]
    added = {one["add"]["path"]: int(one["add"]["size"]) for one in actions if "add" in one}
    return added, [one["path"] for one in removed], any(one.get("dataChange", True) for one in removed)


def _fetch_data(remote: Remote, files: Mapping[str, int]) -> None:
    """Fetch those data files that the copy does not have."""
    log = log_folder(remote.lake)

    def one(path: str) -> None:
        told, size = part_digest(path.rpartition("/")[2]), files[path]
        name = f"{LOG}{unquote(path)}"
        remote.fetch(name, lambda found, got: got == size and (told is None or found[:DIGEST] == told))

    def is_here(path: str) -> bool:
        file = log / unquote(path)
        return file.is_file() and file.stat().st_size == files[path]

    at_once(one, [path for path in files if not is_here(path)])


def _fetch_checkpoint(remote: Remote, version: int, log: Path) -> bool:
    """Fetch a checkpoint into a log, where all that belongs to it is there already. The pointer to it comes last."""
    folder = log / "_delta_log"
    sums_file = checkpoint_sums(log, version)
    parquet = sums_file.with_suffix(".parquet")
    if version < 0 or parquet.is_file():
        return parquet.is_file()
    try:
        content, pointer = remote.read(f"{COMMITS}{sums_file.name}"), remote.read(f"{COMMITS}{POINTER}")
    except GoneError:
        return False
    sums = without_its_digest(content)
    if sums is None or version_of(pointer) != version:
        return False
    draft = remote.lake / FOLDER / parquet.name
    remote.fetch(f"{COMMITS}{parquet.name}", lambda found, _: found in sums, draft)
    folder.mkdir(parents=True, exist_ok=True)
    draft.replace(parquet)
    remote.place_file(sums_file, content)
    remote.place_file(folder / POINTER, pointer)
    return True


def version_of(pointer: bytes) -> int:
    """Give the version that `_last_checkpoint` names, -1 for none."""
    try:
        return int(json.loads(pointer)["version"])
    except (ValueError, KeyError, TypeError):
        return -1


def _show(remote: Remote, *, tidies: bool) -> None:
    """Have `lake.duckdb` show the newest commit, for who opens that; delete what has long been replaced, at times."""
    from crawler.lake.engine import connect
    from crawler.lake.log import Log, opened
    from crawler.lake.published import publish_catalog
    from crawler.lake.upkeep import Wanted, tidy

    (remote.lake / "keys").mkdir(exist_ok=True)
    log = Log(log_folder(remote.lake), opened(remote.lake))
    with connect(threads=1) as connection:
        publish_catalog(connection, remote.lake, log)
    if tidies:
        tidy(log, Wanted().keep_files)
