"""What of a lake is in its object store: what it lacks, what nobody needs. It mends a copy. Touches: network, disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from crawler.lake.commits import commit_file, version_in
from crawler.lake.flaws import Flaw, Harm
from crawler.lake.log import Log
from crawler.lake.parts import part_version
from crawler.lake.pulling import COMMITS_BELOW, POINTER, begin_anew, fetch_file, files_of, version_of
from crawler.lake.remote import COMMITS, LOG, Listed, Remote, StoreError
from crawler.lake.repair import set_aside

LEAST_AGE = timedelta(days=1)
"""A data file without a commit may be that of somebody who is about to commit. Nobody takes that long."""


def lacking(remote: Remote, log: Log) -> Iterator[Flaw]:
    """Find what the store lacks of what another machine needs, or has with another size."""
    there = {one.name: one.size for one in remote.listed(LOG)}
    base = version_of(remote.read(f"{COMMITS}{POINTER}")) if f"{COMMITS}{POINTER}" in there else -1
    if any(f"{COMMITS}{base:020d}.checkpoint.{kind}" not in there for kind in ("parquet", "sha256")):
        base = -1
    needed = {f"{LOG}{file.path}": file.size for file in log.files}
    for version in range(max(0, min(base + 1, log.version - COMMITS_BELOW)), log.version + 1):
        path = commit_file(log.folder, version)
        needed[f"{COMMITS}{path.name}"] = path.stat().st_size if path.exists() else -1
    for name, size in needed.items():
        if name not in there:
            yield Flaw(Harm.STORE, name, "is missing in the object store")
        elif there[name] != size >= 0:
            yield Flaw(Harm.STORE, name, "has another size in the object store")


def useless(remote: Remote, log: Log, keep: timedelta, removed: Iterable[str]) -> list[Listed]:
    """List the objects that nobody needs who began to fetch within `keep`. `removed` are the files that left lately."""
    before = datetime.now(UTC) - keep
    listed = remote.listed(LOG)
    commits = [one for one in listed if one.name.startswith(COMMITS)]
    needed = {file.path for file in log.files} | {*removed} | _removed_unseen(remote, log, commits, before)
    found = []
    for one in listed:
        version = part_version(one.name.rpartition("/")[2])
        if version is None or one.name.removeprefix(LOG) in needed:
            continue
        if version <= log.version or one.at < min(before, datetime.now(UTC) - LEAST_AGE):
            found.append(one)
    return found + _summed_up(commits, log.version, before)


def _removed_unseen(remote: Remote, log: Log, commits: Sequence[Listed], before: datetime) -> set[str]:
    """Give what was removed lately by commits that this copy does not have, since it began after them."""
    removed: set[str] = set()
    for one in commits:
        version = version_in(one.name.rpartition("/")[2])
        if version is None or one.at < before or not one.name.endswith(".json"):
            continue
        if not commit_file(log.folder, version).exists():
            removed |= {*files_of(remote.read(one.name))[1]}
    return removed


def _summed_up(commits: Sequence[Listed], newest: int, before: datetime) -> list[Listed]:
    """List old commits and checkpoints below the last checkpoint but one, which alone would do."""
    versions = [(one, version_in(one.name.rpartition("/")[2])) for one in commits]
    checkpoints = sorted(
        {version for one, version in versions if version is not None and one.name.endswith(".parquet")}
    )
    base = first_needed(checkpoints, newest)
    return [one for one, version in versions if version is not None and version < base and one.at < before]


def first_needed(checkpoints: Sequence[int], newest: int) -> int:
    """Say below which version neither commits nor checkpoints are needed, going by the checkpoints in their order."""
    if len(checkpoints) < 2:
        return 0
    base = min(checkpoints[-2], max(0, newest - COMMITS_BELOW))
    return max((version for version in checkpoints if version <= base), default=0)


def mend_copy(remote: Remote, flaws: Iterable[Flaw]) -> None:
    """Fetch again what is broken in the copy, as far as the store has it whole; the log as a whole."""
    broken = list(flaws)
    with remote.alone():
        if any(flaw.harm is Harm.LOG for flaw in broken):
            begin_anew(remote)
        for flaw in broken:
            if flaw.harm is Harm.DATA:
                path = remote.lake / flaw.path
                if path.exists():
                    set_aside(remote.lake, path)
                _try(remote, flaw.path)


def _try(remote: Remote, name: str) -> None:
    try:
        fetch_file(remote, name)
    except StoreError:  # then it is lost, and what rested on it is recorded as not proven
        return


def mend_store(remote: Remote, log: Log, flaws: Iterable[Flaw]) -> None:
    """Bring what the store lacks from the copy, and have a checkpoint there that sums up commits which nobody has."""
    lacked = [flaw.path for flaw in flaws if flaw.harm is Harm.STORE]
    remote.push(remote.lake / name for name in lacked if (remote.lake / name).exists())
    if any(name.startswith(COMMITS) for name in lacked):
        log.checkpoint()
