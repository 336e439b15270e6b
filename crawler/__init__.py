"""Crawl PACS by C-FIND into Parquet tables, query them with SQL, retrieve what was found."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Unpack

    import pyarrow as pa
    import SimpleITK as sitk
    from pydicom import Dataset

    from crawler.asking.command import How
    from crawler.export.fetching import Fetch
    from crawler.export.images import LakeOfImages

__all__ = ["find", "find_datasets", "load_image", "open_lake"]


def open_lake(
    path: str | os.PathLike[str],
    as_of: str | date | None = None,
    store: str | os.PathLike[str] | None = None,
    config: str | os.PathLike[str] | None = None,
) -> LakeOfImages:
    """Open a lake for reading: `open_lake("lake").sql("SELECT count(*) FROM studies")` is a DuckDB relation.

    `path` is its folder, or where it is on object storage, "s3://bucket/prefix": what is new there is fetched first.
    With `as_of`, a moment in UTC or the end of a day, its tables show what was known then. The view `audit` has what
    people did with the service. `load_image` has to know where files are and from which PACS more can be had: `config`
    says so, which is `pacslake.toml` in the current folder or beside the lake unless it is named. `store` is another
    place of the files.
    """
    from crawler.export.images import LakeOfImages
    from crawler.lake.audit import AuditLog
    from crawler.lake.moments import end_of
    from crawler.place import is_url

    if is_url(str(path)):
        path = _copy_of(str(path), config)
    lake = LakeOfImages(path, end_of(as_of) if as_of is not None else None)
    lake.store = Path(store) if store is not None else None
    lake.config = Path(config) if config is not None else None
    lake.sql(AuditLog(lake.path).view)
    return lake


def _copy_of(url: str, config: str | os.PathLike[str] | None) -> Path:
    """Give the working copy of a lake on object storage. UserError where the settings are about another lake."""
    from crawler.errors import UserError
    from crawler.lake.remote import attach
    from crawler.place import Place, checked_url

    try:
        place = Place(checked_url(url))
    except ValueError as error:
        raise UserError(f"the URL of a lake {error}") from None
    copy = place.default_copy()
    if config is not None:
        from crawler.settings import load

        lake = load(Path(config)).lake
        if lake.place is None or lake.place.url != place.url:
            raise UserError(f"{config} is about another lake than {place.url}")
        place, copy = lake.place, lake.path
    attach(copy, place)
    return copy


def load_image(
    series_uid: str, *, config: str | os.PathLike[str] = "pacslake.toml", fetch: Fetch | bool = True
) -> sitk.Image:
    """Give a series as a SimpleITK image, by its UID and the settings that say where lake, files and PACS are.

    What is not all here is fetched from its PACS first, or by a `fetch` of your own; False refuses it. UserError where
    the series cannot be had whole, or is no volume; PacslakeError where nothing can be fetched.
    """
    from crawler.export.asked import Asked
    from crawler.export.fetching import fetch_by
    from crawler.export.images import load_series
    from crawler.lake.remote import attach
    from crawler.settings import load

    settings = load(Path(config))
    attach(settings.lake.path, settings.lake.place)
    how = fetch_by(Path(config)) if fetch is True else fetch or None
    return load_series(settings.lake.path, settings.local.store_path, Asked(series_uid=series_uid), how)


def find(pacs: str | Sequence[str], *keys: str, **how: Unpack[How]) -> pa.Table:
    """Ask one or several PACS by C-FIND: `find("main", "StudyDate=20240101-", "PatientName", level="study")`.

    PACS are named as in pacslake.toml or addressed as `AE@host:port`, keys are written as for `pacslake find`, and so
    is how to ask. The table has a column `source` and one for each key, typed as in the lake. UserError for mistakes,
    PeerError where nothing came of it; a PartialAnswerWarning where there may be more than came.
    """
    from crawler.asking.command import find_table

    return find_table([pacs] if isinstance(pacs, str) else pacs, keys, how)


def find_datasets(pacs: str | Sequence[str], *keys: str, **how: Unpack[How]) -> Iterator[Dataset]:
    """Ask as `find` does, and give the answers one by one as pydicom datasets, as they come."""
    from crawler.asking.command import find_each

    return find_each([pacs] if isinstance(pacs, str) else pacs, keys, how)
