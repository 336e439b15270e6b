"""Which rows of an answer do not answer the question: a PACS may ignore a key it was given. Pure."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from crawler.model import Window


def outside_window(rows: pa.Table, window: Window) -> int:
    """Count decoded STUDY rows whose StudyDate lies outside the window; rows without a StudyDate are not counted."""
    dates = rows["StudyDate"]
    outside = 0
    if window.date_from is not None:
        outside += pc.sum(pc.less(dates, window.date_from)).as_py() or 0
    if window.date_to is not None:
        outside += pc.sum(pc.greater(dates, window.date_to)).as_py() or 0
    return outside


def belonging_to(rows: pa.Table, keyword: str, asked: pa.Array) -> tuple[pa.Table, int]:
    """Give the rows with `keyword` set to what was asked where the answer omits it, and count those that contradict it.

    `asked` holds, row by row, the unique key of the parent that the row was an answer for. Rows that contradict it
    keep what the PACS said.
    """
    given = rows[keyword].combine_chunks()
    omitted = pc.or_kleene(pc.is_null(given), pc.equal(given, ""))
    filled = pc.if_else(omitted, asked, given)
    contradicting = pc.sum(pc.not_equal(filled, asked)).as_py() or 0
    if pc.any(omitted).as_py():
        rows = rows.set_column(rows.schema.get_field_index(keyword), rows.schema.field(keyword), filled)
    return rows, contradicting
