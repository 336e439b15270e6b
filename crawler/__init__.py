"""Crawl PACS by C-FIND into Parquet tables, query them with SQL, retrieve what was found."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import SimpleITK as sitk

    from crawler.export.images import Fetch, LakeOfImages

__all__ = ["load_image", "open_lake"]


def open_lake(
    path: str | os.PathLike[str], as_of: str | date | None = None, store: str | os.PathLike[str] | None = None
) -> LakeOfImages:
    """Open a lake for reading: `open_lake("lake").sql("SELECT count(*) FROM studies")` is a DuckDB relation.

    With `as_of`, a moment in UTC or the end of a day, its tables show what was known then. `store` is where its files
    are, for `load_image`; the folder `store` beside the lake unless it is said. The view `audit` has what people did
    with the service.
    """
    from crawler.export.images import LakeOfImages
    from crawler.lake.audit import AuditLog
    from crawler.lake.moments import end_of

    lake = LakeOfImages(path, end_of(as_of) if as_of is not None else None)
    lake.store = Path(store) if store is not None else None
    lake.sql(AuditLog(lake.path).view)
    return lake


def load_image(
    series_uid: str, *, config: str | os.PathLike[str] = "pacslake.toml", fetch: Fetch | None = None
) -> sitk.Image:
    """Give a series as a SimpleITK image, by its UID and the settings that say where lake and files are.

    What is not here is brought by `fetch`. UserError where the series cannot be had whole, or is no volume.
    """
    from crawler.export.asked import Asked
    from crawler.export.images import load_series
    from crawler.settings import load

    settings = load(Path(config))
    return load_series(settings.lake.path, settings.local.store_path, Asked(series_uid=series_uid), fetch)
