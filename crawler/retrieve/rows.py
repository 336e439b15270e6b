"""What the log keeps of a retrieval: the rows of `file` and `retrieval` for `LakeWriter.append`. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, astuple, replace
from datetime import datetime

import pyarrow as pa

from crawler.lake.schema import stored_schema
from crawler.retrieve.state import Retrieval
from crawler.retrieve.track import Track


def file_rows(received: pa.Table, asked: Mapping[str, str]) -> pa.Table:
    """Give the rows of `file` for rows of `FILES`; `asked` says of each series asked for which PACS that was."""
    pacs = pa.array([asked.get(series) for series in received["SeriesInstanceUID"].to_pylist()], pa.string())
    nothing = pa.nulls(received.num_rows, pa.int64())
    return received.add_column(0, "pacs", pacs).add_column(0, "row_id", nothing).cast(stored_schema("file"))


def retrieval_rows(changes: Iterable[Retrieval], moment: datetime) -> pa.Table:
    """Give the rows of `retrieval` for these changes, as of a moment in UTC without a zone."""
    schema = stored_schema("retrieval")
    rows = [dict(zip(schema.names[1:], astuple(one), strict=True)) for one in changes]
    return pa.Table.from_pylist([{**row, "changed_at": row["changed_at"] or moment} for row in rows], schema)


def change_of(pacs: str, track: Track, version: int | None, way: str) -> Retrieval:
    """Say how far a series is that the order machine brings."""
    change = Retrieval(
        pacs=pacs,
        study_uid=track.item.study_uid,
        series_uid=track.item.series_uid,
        cohort=track.cohort or None,
        version=version,
        state=track.state,
        reason=track.reason,
        way=way,
        level=None if track.asked is None else track.asked.level.value,
        requests=track.requests,
        expected_instances=track.listing.size,
        received_instances=len(track.here),
    )
    return change if track.last.said is None else replace(change, **asdict(track.last.said))
