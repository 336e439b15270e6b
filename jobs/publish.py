"""Decode answers and publish them: one thread beside the event loop owns the lake. Touches: disk, clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa

from crawler.decode.decode import decode
from crawler.deid.policy import Policy
from crawler.lake.writer import Staged
from crawler.model import Coverage, Finding, Identifiers, JobRun, Level, SweepRecord
from crawler.pacs.profile import Profile, added
from crawler.plan.answers import Ask
from crawler.plan.outside import belonging_to
from crawler.plan.sight import Sight, as_studies, belongs, see, stays
from jobs.phi import open_writer

COMMIT_AFTER_ROWS = 200_000
COMMIT_AFTER_SECONDS = 5.0
"""A commit costs about 20 ms and a small file: windows share one until this many rows or seconds have come together."""

PARENT_KEYS: dict[Level, tuple[str, ...]] = {
    Level.PATIENT: (),
    Level.STUDY: (),
    Level.SERIES: ("StudyInstanceUID",),
    Level.IMAGE: ("StudyInstanceUID", "SeriesInstanceUID"),
    Level.WORKLIST: (),
}
"""The unique keys above each level, with which a hierarchical query narrows to one parent (PS3.4 C.4.1.2.1)."""

_COUNTED = {Level.STUDY: "NumberOfStudyRelatedSeries", Level.SERIES: "NumberOfSeriesRelatedInstances"}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Source:
    """Where rows come from: the PACS's name in the lake, the sweep that asked, how to read what came."""

    pacs: str
    sweep_id: str
    charsets: Mapping[str, str]
    """What each character set that it declares means, '' standing for none."""
    profile: Profile
    """How the PACS wants to be asked and read."""
    descends: bool = True
    """Whether it is asked below studies."""
    names_images: bool = False
    """Whether the keys of images are wanted too, to see which have gone."""


@dataclass(frozen=True, slots=True)
class Child:
    """Part of the answer to a query below STUDY level, and the unique keys of the parents that it was asked with."""

    parents: tuple[str, ...]
    batch: Identifiers


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a batch: counts, what was seen in it, and the unique keys that ask for the next level.

    `rows` of it are what was asked for; `outside` contradict the question.
    """

    staged: Staged
    rows: int
    outside: int
    keys: list[tuple[str, ...]]
    sight: Sight = field(default_factory=Sight)
    counts: dict[tuple[str, ...], int] = field(default_factory=dict)
    """How many rows the next level has below each of these keys, as the PACS counts them."""


class Publisher:
    """Stage batches and commit them with their coverage. Everything runs in one thread, in order."""

    def __init__(self, path: Path, policy: Policy | None = None, *, create: bool = True) -> None:
        self._open = lambda: open_writer(path, policy, create=create)
        self._policy = policy
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="lake")
        self._coverage: list[Coverage] = []
        self._sweeps: dict[str, SweepRecord] = {}
        self._findings: list[Finding] = []
        self._jobs: list[JobRun] = []
        self._rows = 0
        self._committed_at = time.monotonic()

    async def __aenter__(self) -> Publisher:
        self.writer = await self._in_thread(self._open)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._in_thread(self.writer.close)
        self._thread.shutdown()

    async def keep(self, source: Source, batch: Identifiers, ask: Ask, level: Level = Level.STUDY) -> Kept:
        """Decode a batch of the answer about a window and stage its rows for the next commit."""
        self._rows += len(batch)
        return await self._in_thread(lambda: self._keep(source, batch, ask, level))

    async def keep_children(self, source: Source, level: Level, children: Sequence[Child]) -> Kept:
        """Decode answers from below STUDY level and stage their rows for the next commit. All are of one encoding."""
        self._rows += sum(len(child.batch) for child in children)
        return await self._in_thread(lambda: self._keep_children(source, level, children))

    async def cover(self, coverage: Sequence[Coverage], sweep: SweepRecord) -> None:
        """Record settled windows, all of whose rows were kept before, and how far the sweep is."""
        self._coverage.extend(map(self._policy.coverage, coverage) if self._policy else coverage)
        self._sweeps[sweep.sweep_id] = sweep
        late = time.monotonic() - self._committed_at > COMMIT_AFTER_SECONDS
        if late or self._rows > COMMIT_AFTER_ROWS:
            await self.commit()

    async def commit(self) -> None:
        """Publish all that was kept and covered since the last commit."""
        coverage, self._coverage = self._coverage, []
        sweeps, self._sweeps = list(self._sweeps.values()), {}
        findings, jobs, self._findings, self._jobs = self._findings, self._jobs, [], []
        self._rows = 0
        await self._in_thread(lambda: self.writer.commit(coverage, sweeps, findings, jobs))
        self._committed_at = time.monotonic()

    def record(self, sweep: SweepRecord, findings: Sequence[Finding], jobs: Sequence[JobRun]) -> None:
        """Have a sweep's record, what it found out about the PACS and the jobs done by it in the next commit."""
        self._sweeps[sweep.sweep_id] = sweep
        self._findings.extend(findings)
        self._jobs.extend(jobs)

    def append(self, entity: str, rows: pa.Table) -> None:
        """Have rows of `stored_schema(entity)` in the next commit. For another thread than the event loop's."""
        told = self._policy.of_files(rows) if self._policy and entity == "file" else rows
        self._thread.submit(self.writer.append, entity, told).result()

    async def read(self, question: Callable[[], T]) -> T:
        """Ask the lake something between commits."""
        return await self._in_thread(question)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _keep(self, source: Source, batch: Identifiers, ask: Ask, level: Level) -> Kept:
        profile = source.profile
        rows = decode(
            batch,
            level,
            default_charset=source.charsets,
            study_modality=profile.study_modality,
            added=added(profile, level),
        )
        seen = as_studies(rows) if level is Level.WORKLIST else rows
        sight = see(seen, ask.window, ask.query)
        mine = rows.filter(belongs(seen, ask.window))
        staged = self._stage(source, level, rows.filter(stays(seen, ask.window)))
        named = self._kept(source, level, mine) if level is Level.WORKLIST else mine  # items are known by what is kept
        return Kept(staged, mine.num_rows, sight.outside, _keys(named, level), sight, _counts(source, mine, level))

    def _keep_children(self, source: Source, level: Level, children: Sequence[Child]) -> Kept:
        batch = Identifiers.joined([child.batch for child in children])
        rows = decode(batch, level, default_charset=source.charsets, added=added(source.profile, level))
        counts = [len(child.batch) for child in children]
        outside = 0
        for place, keyword in enumerate(PARENT_KEYS[level]):
            asked = np.repeat(np.array([child.parents[place] for child in children], dtype=object), counts)
            rows, contradicting = belonging_to(rows, keyword, pa.array(asked, pa.string()))
            outside += contradicting
        staged = self._stage(source, level, rows)
        keys = _keys(rows, level, source.names_images)
        return Kept(staged, rows.num_rows, outside, keys, counts=_counts(source, rows, level))

    def _stage(self, source: Source, level: Level, rows: pa.Table) -> Staged:
        return self.writer.stage(level, source.pacs, source.sweep_id, self._kept(source, level, rows))

    def _kept(self, source: Source, level: Level, rows: pa.Table) -> pa.Table:
        """Give rows without what the settings keep out of the lake."""
        return self._policy.apply(level, rows, added(source.profile, level)) if self._policy else rows


def _counts(source: Source, rows: pa.Table, level: Level) -> dict[tuple[str, ...], int]:
    if level not in _COUNTED or not source.descends:
        return {}
    names = (*PARENT_KEYS[level], level.unique_key, _COUNTED[level])
    told = zip(*(rows[name].to_pylist() for name in names), strict=True)
    return {tuple(keys): count for *keys, count in told if count is not None}


def _keys(rows: pa.Table, level: Level, names_images: bool = False) -> list[tuple[str, ...]]:
    """Give the unique keys of each row down to its own level; of images, below which there is nothing, on request."""
    names = (*PARENT_KEYS[level], level.unique_key) if level is not Level.IMAGE or names_images else ()
    columns = [rows[name].to_pylist() for name in names]
    return [keys for keys in zip(*columns, strict=True) if all(keys)]
