"""A series as an image in memory, if all of it is here. Touches: disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from crawler.errors import UserError
from crawler.export.asked import Asked, Candidate
from crawler.export.extra import extra, read_image
from crawler.export.fetching import Fetch, fetch_by, settings_of
from crawler.export.geometry import Slice, ordered
from crawler.lake.catalog import literal, open_catalog
from crawler.lake.query import Lake
from crawler.retrieve.readback import TOLD, Told, examine_size
from crawler.retrieve.standing import gather, standing

if TYPE_CHECKING:
    import duckdb
    import SimpleITK as sitk

_FILES = f"""SELECT {", ".join(TOLD)}, InstanceNumber, NumberOfFrames, "Rows", "Columns",
    ImagePositionPatient, ImageOrientationPatient, PixelSpacing FROM here"""


class LakeOfImages(Lake):
    """A lake whose series open as images."""

    store: Path | None = None
    config: Path | None = None

    def load_image(self, *, fetch: Fetch | bool = True, **known: Any) -> sitk.Image:
        """Give the one series that fits as a SimpleITK image.

        Known may be `patient_id`, `study_date`, `series_description`, `modality`, `series_number`, `accession_number`,
        `study_uid`, `series_uid` and `pacs`. Voxel values are rescaled (HU in CT), axes and places are the patient's,
        in mm. What is not all here is fetched from its PACS first, or by a `fetch` of your own; False refuses it.
        UserError where it cannot be had whole, is no volume, or where none fits; SeveralSeriesError lists those that
        fit where it is not one; PacslakeError where nothing can be fetched.
        """
        found = settings_of(self.path, self.config)
        store = self.store or (found[1].local.store_path if found else self.path.parent / "store")
        if isinstance(fetch, bool):
            return load_series(self.path, store, Asked(**known), fetch_by(found[0]) if fetch and found else None)
        return load_series(self.path, store, Asked(**known), fetch)


def load_series(
    lake: Path, store: Path, asked: Asked, fetch: Fetch | None = None, told: str | None = None
) -> sitk.Image:
    """Give the series that fits as an image, as `LakeOfImages.load_image` does; `told` came of a fetch before."""
    extra("SimpleITK")
    with open_catalog(lake) as connection:
        series = asked.answer(connection)
        missing = _missing(connection, series)
        files = [] if missing else _files(connection, store)
    if missing:
        if fetch is None:
            raise UserError(
                f"{missing}; {told or f'`pacslake cohort retrieve --series {series.series_uid}` brings it'}"
            )
        told = fetch(series) or "it was asked for just now"
        return load_series(lake, store, Asked(series_uid=series.series_uid, pacs=series.pacs), None, told)
    return _image(store, ordered(files))


def _missing(connection: duckdb.DuckDBPyConnection, series: Candidate) -> str | None:
    """Say what of a series is missing, None where nothing is."""
    uids = f"{literal(series.pacs)} AS pacs, {literal(series.study_uid)} AS StudyInstanceUID"
    row = f"(SELECT {uids}, {literal(series.series_uid)} AS SeriesInstanceUID, NULL::BIGINT AS expected_instances)"
    gather(connection, row)
    [found] = standing(connection).series
    if found.is_whole:
        return None
    if not found.here:
        return f"the series {series.series_uid} is not here ({found.reason})"
    if found.expected is None:
        return f"whether the series {series.series_uid} is all here is not known ({found.reason})"
    count = f"{found.missing:,} of {found.expected:,} instances"
    return f"{count} of the series {series.series_uid} are missing ({found.reason})"


def _files(connection: duckdb.DuckDBPyConnection, store: Path) -> list[Slice]:
    slices = []
    for *told, number, frames, rows, columns, position, orientation, spacing in connection.execute(_FILES).fetchall():
        file = Told(*told)
        if (flaw := examine_size(store, file)) is not None:
            where = f"{store / file.path} ({flaw.value})"
            raise UserError(f"a file of the series is not as it was received: {where}. Is the store elsewhere?")
        geometry = (None if value is None else tuple(value) for value in (position, orientation, spacing))
        slices.append(Slice(file.path, number, frames, rows, columns, *geometry))
    return slices


def _image(store: Path, slices: list[Slice]) -> sitk.Image:
    try:
        image: sitk.Image = read_image([store / one.path for one in slices])
    except UserError as error:
        raise UserError(f"{error} ({store / slices[0].path})") from None
    return image
