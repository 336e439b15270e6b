"""What exports take out of a lake: relations shaped for a file, and studies with their series. Touches: disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb

from crawler.errors import UserError
from crawler.lake.query import Lake
from crawler.lake.schema import literal, quoted

MEMORY = "400MB"
"""What DuckDB may hold while an export runs; sorting spills beyond it."""
CHUNK = 10_000
_FORMULA = r"^[=+\-@\t\r]"
"""How text begins that a spreadsheet takes for a formula (OWASP, CSV injection)."""
_CELLS = {"BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE", "DATE", "TIME", "TIMESTAMP"}
"""Types whose values a cell of a workbook can be; others go in as text."""

Row = dict[str, Any]


def be_modest(lake: Lake, spill: Path) -> None:
    """Bound what the next statements hold in memory; what is beyond that goes to files in a folder."""
    lake.connection.execute(f"SET memory_limit = {literal(MEMORY)}; SET temp_directory = {literal(str(spill))}")


def relation_of(lake: Lake, statement: str) -> duckdb.DuckDBPyRelation:
    """Give the rows of a statement. UserError where it gives none, as SET does."""
    relation: duckdb.DuckDBPyRelation | None = lake.sql(statement)
    if relation is None or relation.columns == ["Success"]:
        raise UserError("the statement gives no rows to export; a SELECT does")
    return relation


def formula_safe(relation: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """Put an apostrophe before text that a spreadsheet would take for a formula."""

    def shown(name: str, kind: str) -> str:
        if kind != "VARCHAR":
            return name
        return f"CASE WHEN regexp_matches({name}, {literal(_FORMULA)}) THEN '''' || {name} ELSE {name} END AS {name}"

    return _projected(relation, shown)


def as_cells(relation: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """Turn what no cell of a workbook can be (lists, bytes ...) into text."""
    return _projected(relation, lambda name, kind: name if kind in _CELLS else f"CAST({name} AS VARCHAR) AS {name}")


def _projected(relation: duckdb.DuckDBPyRelation, shown: Any) -> duckdb.DuckDBPyRelation:
    columns = zip(map(quoted, relation.columns), map(str, relation.types), strict=True)
    return relation.project(", ".join(shown(name, kind) for name, kind in columns))


def studies_with_series(
    lake: Lake, study_columns: Sequence[str], series_columns: Sequence[str], chosen: str | None
) -> Iterator[tuple[Row, list[Row]]]:
    """Give each study and its series, both sorted; `chosen` is SQL that gives `pacs` and `StudyInstanceUID` of some."""
    listed = ", ".join(
        [*(f"studies.{quoted(name)}" for name in study_columns), *(f"series.{quoted(name)}" for name in series_columns)]
    )
    wanted = f"SEMI JOIN ({chosen}) AS chosen USING (pacs, StudyInstanceUID)" if chosen else ""
    relation = lake.sql(
        f"SELECT {listed} FROM (SELECT * FROM studies {wanted}) AS studies"
        " LEFT JOIN series USING (pacs, StudyInstanceUID)"
        " ORDER BY pacs, studies.StudyInstanceUID, SeriesNumber, SeriesInstanceUID"
    )
    width, key = len(study_columns), [study_columns.index(name) for name in ("pacs", "StudyInstanceUID")]
    # As Arrow they are streamed; `iter_rows` would hold all of them.
    batches = relation.to_arrow_reader(CHUNK)
    streamed = (row for batch in batches for row in zip(*(column.to_pylist() for column in batch.columns), strict=True))
    for _, rows in groupby(streamed, lambda row: [row[place] for place in key]):
        found = list(rows)
        series = [dict(zip(series_columns, row[width:], strict=True)) for row in found]
        study = dict(zip(study_columns, found[0][:width], strict=True))
        yield study, [one for one in series if one["SeriesInstanceUID"] is not None]
