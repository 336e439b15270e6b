"""Cohorts in the lake's log: freeze one, mark one as dropped. Touches: disk."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

import pyarrow as pa

from crawler.cohort.found import CHOSEN
from crawler.cohort.frozen import Frozen
from crawler.cohort.totals import ORDER, ROWS
from crawler.lake.ledger import naive_utc
from crawler.lake.query import Lake
from crawler.lake.schema import literal, stored_schema
from crawler.lake.writer import LakeWriter

_BATCH = 60_000


def freeze(writer: LakeWriter, lake: Lake, frozen: Frozen) -> None:
    """Keep what `find` has found, with this as its description, as one commit."""
    head = {**asdict(frozen), "row_id": None}
    writer.append("cohort", pa.Table.from_pylist([head], schema=stored_schema("cohort")))
    schema = stored_schema("cohort_series")
    own = {"cohort": literal(frozen.cohort), "version": frozen.version, "frozen_at": literal(str(frozen.frozen_at))}
    given = (f"{own[name]} AS {name}" if name in own else name for name in schema.names if name != "row_id")
    query = f"SELECT NULL AS row_id, {', '.join(given)} FROM {CHOSEN} {ORDER}"
    for batch in lake.sql(query).to_arrow_reader(_BATCH):
        writer.append("cohort_series", pa.Table.from_batches([batch]).cast(schema))
    writer.commit()


def has_same_rows(lake: Lake, frozen: Frozen) -> bool:
    """Say whether a version has just the rows that `find` has found."""
    found = f"(SELECT {', '.join(ROWS)} FROM {CHOSEN})"
    [(others,)] = lake.connection.execute(
        f"SELECT count(*) FROM (({found} EXCEPT ALL {frozen.rows}) UNION ALL ({frozen.rows} EXCEPT ALL {found}))"
    ).fetchall()
    return not others


def drop(writer: LakeWriter, cohort: str, moment: datetime) -> None:
    """Mark all versions of a cohort as dropped."""
    row: dict[str, Any] = {"cohort": cohort, "dropped_at": naive_utc(moment)}
    writer.append("cohort", pa.Table.from_pylist([row], schema=stored_schema("cohort")))
    writer.commit()
