"""Keep what a PACS answers in memory, for one question, where a sweep keeps it in a lake. Touches: nothing else."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from crawler.lake.passing import Passing
from crawler.lake.writer import Staged
from crawler.model import Level
from jobs.publish import Publisher, Source


class Gatherer(Publisher):
    """A publisher that publishes nothing: decoded rows go into `passing`."""

    def __init__(self, passing: Passing) -> None:
        super().__init__(Path())
        self.passing = passing

    async def __aenter__(self) -> Gatherer:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._thread.shutdown()

    async def commit(self) -> None:
        """Let the tables have what came until now."""
        self._coverage, self._sweeps, self._rows = [], {}, 0
        await self.read(self.passing.tables)

    def _stage(self, source: Source, level: Level, rows: pa.Table) -> Staged:
        rejects = self.passing.add(level, rows)
        return Staged(rows.num_rows, rows.num_rows - rejects, 0, 0, 0, rejects)
