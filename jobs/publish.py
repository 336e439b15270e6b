"""Decode answers and publish them: one thread beside the event loop owns the lake. Touches: disk, clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa

from crawler.decode.decode import decode
from crawler.lake.writer import LakeWriter, Staged
from crawler.model import Coverage, Identifiers, Level, SweepRecord, Window
from crawler.pacs.profile import Profile
from crawler.plan.outside import belonging_to, outside_window

COMMIT_AFTER_ROWS = 200_000
COMMIT_AFTER_SECONDS = 5.0
"""A commit costs about 20 ms and a small file: windows share one until this many rows or seconds have come together."""

PARENT_KEYS: dict[Level, tuple[str, ...]] = {
    Level.STUDY: (),
    Level.SERIES: ("StudyInstanceUID",),
    Level.IMAGE: ("StudyInstanceUID", "SeriesInstanceUID"),
}
"""The unique keys above each level, with which a hierarchical query narrows to one parent (PS3.4 C.4.1.2.1)."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Source:
    """Where rows come from: the PACS's name in the lake, the sweep that asked, the charset to assume."""

    pacs: str
    sweep_id: str
    default_charset: str
    profile: Profile
    """How the PACS wants to be asked and read."""


@dataclass(frozen=True, slots=True)
class Child:
    """Part of the answer to a query below STUDY level, and the unique keys of the parents that it was asked with."""

    parents: tuple[str, ...]
    batch: Identifiers


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a batch: counts, rows outside the question, and the unique keys that ask for the next level."""

    staged: Staged
    outside: int
    keys: list[tuple[str, ...]]


class Publisher:
    """Stage batches and commit them with their coverage. Everything runs in one thread, in order."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="lake")
        self._coverage: list[Coverage] = []
        self._sweeps: dict[str, SweepRecord] = {}
        self._rows = 0
        self._committed_at = time.monotonic()

    async def __aenter__(self) -> Publisher:
        self.writer = await self._in_thread(lambda: LakeWriter.open(self._path))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._in_thread(self.writer.close)
        self._thread.shutdown()

    async def keep(self, source: Source, batch: Identifiers, window: Window) -> Kept:
        """Decode a batch of the answer to a window's STUDY query and stage its rows for the next commit."""
        self._rows += len(batch)
        return await self._in_thread(lambda: self._keep(source, batch, window))

    async def keep_children(self, source: Source, level: Level, children: Sequence[Child]) -> Kept:
        """Decode answers from below STUDY level and stage their rows for the next commit. All are of one encoding."""
        self._rows += sum(len(child.batch) for child in children)
        return await self._in_thread(lambda: self._keep_children(source, level, children))

    async def cover(self, coverage: Sequence[Coverage], sweep: SweepRecord) -> None:
        """Record settled windows, all of whose rows were kept before, and how far the sweep is."""
        self._coverage.extend(coverage)
        self._sweeps[sweep.sweep_id] = sweep
        late = time.monotonic() - self._committed_at > COMMIT_AFTER_SECONDS
        if late or self._rows > COMMIT_AFTER_ROWS:
            await self.commit()

    async def commit(self) -> None:
        """Publish all that was kept and covered since the last commit."""
        coverage, self._coverage = self._coverage, []
        sweeps, self._sweeps = list(self._sweeps.values()), {}
        self._rows = 0
        await self._in_thread(lambda: self.writer.commit(coverage, sweeps))
        self._committed_at = time.monotonic()

    async def record(self, sweep: SweepRecord) -> None:
        """Have a sweep's record in the next commit."""
        self._sweeps[sweep.sweep_id] = sweep

    async def read(self, question: Callable[[], T]) -> T:
        """Ask the lake something between commits."""
        return await self._in_thread(question)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _keep(self, source: Source, batch: Identifiers, window: Window) -> Kept:
        modality = source.profile.study_modality
        rows = decode(batch, Level.STUDY, default_charset=source.default_charset, study_modality=modality)
        if window.undated:
            rows = rows.filter(rows["StudyDate"].is_null())
        return self._stage(source, Level.STUDY, rows, outside_window(rows, window))

    def _keep_children(self, source: Source, level: Level, children: Sequence[Child]) -> Kept:
        batch = Identifiers.joined([child.batch for child in children])
        rows = decode(batch, level, default_charset=source.default_charset)
        counts = [len(child.batch) for child in children]
        outside = 0
        for place, keyword in enumerate(PARENT_KEYS[level]):
            asked = np.repeat(np.array([child.parents[place] for child in children], dtype=object), counts)
            rows, contradicting = belonging_to(rows, keyword, pa.array(asked, pa.string()))
            outside += contradicting
        return self._stage(source, level, rows, outside)

    def _stage(self, source: Source, level: Level, rows: pa.Table, outside: int) -> Kept:
        staged = self.writer.stage(level, source.pacs, source.sweep_id, rows)
        names = (*PARENT_KEYS[level], level.unique_key) if level is not Level.IMAGE else ()
        columns = [rows[name].to_pylist() for name in names]
        return Kept(staged, outside, [keys for keys in zip(*columns, strict=True) if all(keys)])
