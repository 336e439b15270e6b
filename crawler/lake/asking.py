"""Rows of a question as they are found, in batches, by many at once over one lake. Touches: disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress

import duckdb
import pyarrow as pa

from crawler.errors import LakeError
from crawler.lake.query import Lake

BATCH = 2048
"""Rows at once: a vector of DuckDB's, so that the first come as soon as there are any."""


class Asked:
    """One statement under way."""

    def __init__(self, lake: Lake, sql: str, parameters: Sequence[object]) -> None:
        self._connection = lake.connection.cursor()
        self._sql, self._parameters = sql, list(parameters)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Give the rows, none of an empty batch. LakeError where the files cannot be read, or it was interrupted."""
        try:
            relation = self._connection.sql(self._sql, params=self._parameters)
            with closing(relation.to_arrow_reader(BATCH)) as reader:
                yield from (batch for batch in reader if batch.num_rows)
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise LakeError("the lake cannot answer now") from error  # DuckDB's words may quote a value

    def interrupt(self) -> None:
        """Break off what is being read, by another thread."""
        self._connection.interrupt()

    def close(self) -> None:
        """Let go of it; nobody may be reading."""
        with suppress(duckdb.Error):
            self._connection.close()
