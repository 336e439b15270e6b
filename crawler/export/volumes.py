"""One volume for each series, by SimpleITK: `.nii.gz`, `.mha` and whatever else it writes.

What is no volume of parallel slices at equal distances is refused with the reason. Touches: disk.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pyarrow as pa

from crawler.errors import UserError
from crawler.export.extra import extra, read_image
from crawler.export.geometry import Slice, ordered
from crawler.export.nifti import PLACES
from crawler.export.series import Made, Series, series_of
from crawler.export.template import places
from crawler.export.whole import whole_file
from crawler.retrieve.unpacking import require_modest

ENDINGS = (".nii.gz", ".mha", ".nrrd")
_SLACK = 1e-3
"""By so many mm a library's reading may differ from the file."""


def write_volumes(folder: Path, files: pa.Table, out: Path, ending: str = ENDINGS[0]) -> list[Made]:
    """Write each series of a dataset as a volume, or say why it is none. `files` is of `FILES`."""
    found = series_of(files)
    named = zip(found, places(PLACES, [one.first for one in found]), strict=True)
    return [write_volume(folder, series, out, f"{place}{ending}") for series, place in named]


def write_volume(folder: Path, series: Series, out: Path, place: str) -> Made:
    """Write one series as a volume at `place` below `out`, in the format of its ending; replace what lies there."""
    if not place.endswith(ENDINGS):
        raise UserError(f"volumes are written as {', '.join(ENDINGS)}")
    sitk = extra("SimpleITK")
    target = out / place
    try:
        image = _read(folder, series)
    except UserError as error:
        return Made(series, (), str(error))
    for key in image.GetMetaDataKeys():
        image.EraseMetaData(key)  # some formats would keep a header of DICOM attributes
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(target, overwrite=True) as draft:
        sitk.WriteImage(image, str(draft), useCompression=True)
    return Made(series, (place,))


def _read(folder: Path, series: Series) -> Any:
    """Read a series. UserError where it is no volume, or its values would not be those of the files."""
    if any(row["PhotometricInterpretation"] == "MONOCHROME1" for row in series.rows):
        raise UserError("its values grow from light to dark (MONOCHROME1), and SimpleITK turns them round")
    rows = series.stacked()
    if len(rows) > 1:
        return read_image([folder / row["path"] for row in rows])
    if (series.first["NumberOfFrames"] or 1) < 2:
        raise UserError("a single image is no volume")
    file = folder / series.first["path"]
    require_modest([file])
    places = _frame_places(file, series)
    image = read_image([file])
    _check_places(image, places)
    return image


def _frame_places(file: Path, series: Series) -> list[tuple[float, ...]]:
    """Find where the frames of a file lie, the lowest first. UserError where they are no volume."""
    from pydicom import dcmread

    with warnings.catch_warnings(action="ignore"):  # they quote values
        header: Any = dcmread(file, stop_before_pixels=True)
    try:
        groups = header.PerFrameFunctionalGroupsSequence
        found = [tuple(map(float, group.PlanePositionSequence[0].ImagePositionPatient)) for group in groups]
    except (AttributeError, IndexError, TypeError, ValueError):
        raise UserError("the frames do not say where they lie: this series is no volume") from None
    told = series.first
    orientation, spacing = (tuple(told[name] or ()) for name in ("ImageOrientationPatient", "PixelSpacing"))
    slices = [Slice(f"{at:09}", None, 1, None, None, place, orientation, spacing) for at, place in enumerate(found)]
    stacked = ordered(slices)
    if stacked not in (slices, slices[::-1]):
        raise UserError("the frames do not follow each other in space: no single volume")
    return found


def _check_places(image: Any, places: list[tuple[float, ...]]) -> None:
    """Compare where the library puts the first and the last frame with what the file says."""
    for at, place in ((0, places[0]), (len(places) - 1, places[-1])):
        put = image.TransformIndexToPhysicalPoint((0, 0, at))
        if max(abs(one - other) for one, other in zip(put, place, strict=True)) > _SLACK:
            raise UserError("SimpleITK puts its frames elsewhere than the file says")
