"""The rows of a cohort as a file: the same rows are the same bytes, for the same release. Touches: disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from crawler.cohort.totals import ROWS
from crawler.lake.answer import save
from crawler.lake.schema import stored_schema

if TYPE_CHECKING:
    import duckdb

FORMATS = ("csv", "parquet", "jsonl")
ROW_GROUP = 65_536


def write_rows(relation: duckdb.DuckDBPyRelation, kind: str, path: Path) -> int:
    """Write rows in the order they have; gives their number."""
    return _write_parquet(relation, path) if kind == "parquet" else save(relation, kind, path)


def _write_parquet(relation: duckdb.DuckDBPyRelation, path: Path) -> int:
    """Write row groups of one length by pyarrow: what DuckDB writes depends on how its own files were encoded."""
    schema = pa.schema([stored_schema("cohort_series").field(name) for name in ROWS])
    waiting, written = schema.empty_table(), 0
    with pq.ParquetWriter(path, schema, compression="zstd", store_schema=False) as file:
        for batch in relation.to_arrow_reader(ROW_GROUP):
            waiting = pa.concat_tables([waiting, pa.Table.from_batches([batch]).cast(schema)])
            while waiting.num_rows >= ROW_GROUP:
                file.write_table(waiting.slice(0, ROW_GROUP).combine_chunks())
                waiting, written = waiting.slice(ROW_GROUP), written + ROW_GROUP
        if waiting.num_rows:
            file.write_table(waiting.combine_chunks())
            written += waiting.num_rows
    return written
