"""Crawl PACS by C-FIND into Parquet tables, query them with SQL, retrieve what was found."""

from __future__ import annotations

import os
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crawler.lake.query import Lake

__all__ = ["open_lake"]


def open_lake(path: str | os.PathLike[str], as_of: str | date | None = None) -> Lake:
    """Open a lake for reading: `open_lake("lake").sql("SELECT count(*) FROM studies")` is a DuckDB relation.

    With `as_of`, a moment in UTC or the end of a day, its tables show what was known then.
    """
    from crawler.lake import query

    return query.open_lake(path, as_of)
