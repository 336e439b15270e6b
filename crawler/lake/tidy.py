"""Which files upkeep rewrites into fewer, larger ones. Pure.

Rewriting everything each night would cost what exists; rewriting only what is new leaves current rows among replaced
ones. So new files are merged with each other, until they are a fair part of the table: then it is written anew as a
whole, its current rows apart from the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from crawler.lake.log import LogFile
from crawler.lake.schema import ENTITIES, LEVELS

FAIR_PART = 4
"""A table is written anew when its new rows are a quarter of the others, or more."""
LARGE = 1_000_000
"""Rows of a ledger file that is left alone."""
CROWD = 200
"""New files of an entity that a sweep does not let come about: each costs every commit and every query a little."""

AT_ONCE = 2_000_000
"""Rows that a sweep merges between two commits, in some four seconds: who waits for more loses associations."""
LEAST = 10
"""Fewer files are not worth it."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Files of one entity, and whether their current rows go into files of their own."""

    entity: str
    files: tuple[LogFile, ...]
    apart: bool

    @property
    def rows(self) -> int:
        """How many rows they hold."""
        return sum(file.rows for file in self.files)


def due(files: Iterable[LogFile], *, whole: Sequence[str] = ()) -> list[Rewrite]:
    """Give what to rewrite; the entities in `whole` are written anew in any case."""
    of: dict[str, list[LogFile]] = {entity: [] for entity in ENTITIES}
    for file in files:
        of.setdefault(file.entity, []).append(file)
    found = (_of_entity(entity, tuple(of[entity]), entity in whole) for entity in ENTITIES if of[entity])
    return [rewrite for rewrite in found if rewrite]


def crowded(files: Iterable[LogFile]) -> list[Rewrite]:
    """Give the small new files that a sweep merges while it goes on.

    They are taken from the smallest up, each as long as it is no larger than those before it together, or than ten of
    the smallest: so a row is merged again only with as many others, some log2(commits) times in all.
    """
    of: dict[str, list[LogFile]] = {}
    for file in files:
        if not file.standing:
            of.setdefault(file.entity, []).append(file)
    found = []
    for entity, new in of.items():
        if len(new) > CROWD:
            taken: list[LogFile] = []
            rows = 0
            ascending = sorted(new, key=lambda file: file.rows)
            for file in ascending:
                if file.rows > min(max(rows, LEAST * ascending[0].rows), AT_ONCE - rows):
                    break
                taken.append(file)
                rows += file.rows
            if len(taken) >= LEAST:
                found.append(Rewrite(entity, tuple(sorted(taken, key=lambda file: file.path)), apart=False))
    return found


def _of_entity(entity: str, files: tuple[LogFile, ...], whole: bool) -> Rewrite | None:
    if entity not in LEVELS:
        small = tuple(file for file in files if file.rows < LARGE)
        return Rewrite(entity, small, apart=False) if len(small) > 1 else None
    new = tuple(file for file in files if not file.standing)
    new_rows = sum(file.rows for file in new)
    old_rows = sum(file.rows for file in files) - new_rows
    if whole or (new and new_rows * FAIR_PART >= old_rows):
        return Rewrite(entity, files, apart=True)
    return Rewrite(entity, new, apart=False) if len(new) > 1 else None
