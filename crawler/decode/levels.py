"""Rows that say they are of another level than was asked for: they are none of it, whatever key they bear. Pure."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from crawler.decode.column import PADDING, Column, Rows
from crawler.decode.findings import Findings
from crawler.model import HIERARCHY, Level

LEVEL_TAG = 0x00080052
ANOTHER_LEVEL = "a row of another level"
_LEVELS = {level.query_retrieve_level.encode() for level in HIERARCHY}
_LAST_FOUR = np.uint64(32)
"""By their last four bytes the levels differ; a word holds eight."""


def of_another_level(told: Column, level: Level, findings: Findings) -> Rows:
    """Say which rows have the QueryRetrieveLevel of another level, and record it.

    Some PACS leave it out, or write what is no level: that says nothing.
    """
    own = level.query_retrieve_level.encode()
    usual = np.frombuffer((own + b" " * (len(own) % 2))[-4:], "<u4")[0]
    rows = np.flatnonzero(told.filled & ((told.words_until(told.ends) >> _LAST_FOUR) != usual))
    if not len(rows):
        return rows
    coded = told.at(rows).gather(pa.binary()).dictionary_encode()
    said = [value.strip(PADDING) for value in coded.dictionary.to_pylist()]
    others: Rows = rows[np.array([value in _LEVELS and value != own for value in said])[coded.indices.to_numpy()]]
    findings.note(others, f"{LEVEL_TAG:08x}", ANOTHER_LEVEL, told)
    return others
