"""Where an image of a synthetic archive lies, and what its pixels are, so that a test knows every voxel. Pure.

CT, MR and PT series are volumes: parallel slices in order of InstanceNumber, `SliceThickness` apart, axial, coronal or
sagittal as their description says. ImagePositionPatient lies on the plane that SliceLocation names.

The stored value at `column`, `row`, `frame` (all from 0) of the instance with InstanceNumber `number` is

    (column + 16 * row + 31 * frame + 257 * number + crc32(SeriesInstanceUID)) % 4096

in 16 bits. What it means is `RESCALE[modality]`: value = slope * stored + intercept; other modalities have none.
"""

from __future__ import annotations

import zlib
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crawler.columns import Attribute, Phi

RESCALE = {"CT": ("1", "-1024"), "MR": ("2", "0"), "PT": ("0.5", "0")}
"""RescaleSlope and RescaleIntercept by modality."""
SPACING = ("1.25", "0.75")
"""PixelSpacing: between rows, between columns."""
_AXES = {
    "axial": (("1", "0", "0", "0", "1", "0"), 2, 1.0),
    "coronal": (("1", "0", "0", "0", "0", "-1"), 1, 1.0),
    "sagittal": (("0", "1", "0", "0", "0", "-1"), 0, -1.0),
}
"""By orientation: ImageOrientationPatient, the axis that slices follow, and its sign in their normal."""
_CORNER = -40.0
"""Where slices begin, in mm, along the axes that they do not follow."""
_BITS_STORED = 12

_TEXTS = pa.list_(pa.string())


def _attribute(keyword: str, tag: int, vr: str) -> Attribute:
    return Attribute(keyword, tag, vr, Phi.NONE, "")


_OF_PIXELS: dict[Attribute, int | str] = {
    _attribute("SamplesPerPixel", 0x00280002, "US"): 1,
    _attribute("PhotometricInterpretation", 0x00280004, "CS"): "MONOCHROME2",
    _attribute("BitsAllocated", 0x00280100, "US"): 16,
    _attribute("BitsStored", 0x00280101, "US"): _BITS_STORED,
    _attribute("HighBit", 0x00280102, "US"): _BITS_STORED - 1,
    _attribute("PixelRepresentation", 0x00280103, "US"): 0,
}

Stored = npt.NDArray[np.uint16]


def stored_values(series: str, number: int, shape: tuple[int, int, int]) -> Stored:
    """Give the stored values of an instance, as frames, rows and columns, by the rule above."""
    frames, rows, columns = shape
    first = 257 * number + zlib.crc32(series.encode())
    starts = (first + 31 * np.arange(frames)).reshape(-1, 1, 1) % (1 << _BITS_STORED)
    values: Stored = ((_plane(rows, columns) + starts) % (1 << _BITS_STORED)).astype("<u2")
    return values


@lru_cache(maxsize=16)
def _plane(rows: int, columns: int) -> npt.NDArray[np.int64]:
    return 16 * np.arange(rows)[:, None] + np.arange(columns)[None, :]


def described(count: int) -> dict[Attribute, pa.Array]:
    """Give the attributes that every image with pixels has, for so many of them."""
    return {attribute: pa.array([value] * count) for attribute, value in _OF_PIXELS.items()}


def placed(modality: str, description: str, locations: pa.Array, frame_of_reference: str) -> dict[Attribute, pa.Array]:
    """Give the attributes that place the slices of a series, by their SliceLocation."""
    orientation, axis, sign = _AXES[_orientation(description)]
    slope, intercept = RESCALE[modality]
    of_series = {
        _attribute("PatientPosition", 0x00185100, "CS"): ("HFS",),
        _attribute("ImageOrientationPatient", 0x00200037, "DS"): orientation,
        _attribute("FrameOfReferenceUID", 0x00200052, "UI"): (frame_of_reference,),
        _attribute("PixelSpacing", 0x00280030, "DS"): SPACING,
        _attribute("RescaleIntercept", 0x00281052, "DS"): (intercept,),
        _attribute("RescaleSlope", 0x00281053, "DS"): (slope,),
    }
    positions = [_position(axis, sign * location) for location in locations.to_pylist()]
    columns = {attribute: pa.array([texts] * len(positions), _TEXTS) for attribute, texts in of_series.items()}
    return {**columns, _attribute("ImagePositionPatient", 0x00200032, "DS"): pa.array(positions, _TEXTS)}


def _orientation(description: str) -> str:
    words = description.lower().split()
    if "sagittal" in words or "sag" in words:
        return "sagittal"
    return "coronal" if "coronal" in words or "cor" in words else "axial"


def _position(axis: int, along: float) -> list[str]:
    position = [_CORNER] * 3
    position[axis] = along
    return [f"{millimetres:g}" for millimetres in position]
