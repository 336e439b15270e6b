"""Whose children the rows of an answer below STUDY level are: a PACS may ignore the parent, or leave it out. Pure."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc


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
