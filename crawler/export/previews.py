"""Pictures of images for people: a PNG of a series, and sheets of many small ones to look through. Touches: disk.

A sheet is for finding what should not be seen, such as a name burned into the pixels: it has several frames of a film,
no window of the file's own, which may hide text, and a tile with a reason for every file that cannot be shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crawler.errors import UserError
from crawler.export.extra import extra, read_image
from crawler.export.series import Made, Series, series_of
from crawler.export.template import places
from crawler.export.whole import whole_file
from crawler.retrieve.unpacking import require_modest

Pixels = npt.NDArray[Any]

_TILE, _LABEL, _GAP = 320, 22, 8
_ACROSS, _DOWN = 4, 6
_FRAMES = 4
"""Of a film so many are shown, the first and the last among them."""
_MOST_VALUES = 10**9
"""Of one file's pixels; more are not read. Tomosynthesis of a breast has a third of them."""
_PAPER, _INK, _EMPTY = "#ffffff", "#1f2933", "#e4e7eb"
_PERCENTILES = (0.5, 99.5)
"""Of the values of a picture; what lies beyond is black or white."""
_LONGEST = 512
"""Pixels of a preview's longer side."""
_PLACES = "{PatientID}/{StudyInstanceUID}/{SeriesNumber}_{Modality}.png"


@dataclass(frozen=True, slots=True)
class _Film:
    """A file's frames, and how they are meant to be shown."""

    frames: Pixels
    spacing: tuple[float, float]
    """Between columns, between rows."""
    window: tuple[float, float] | None
    """Its lowest and its highest value."""

    def picture(self, at: int, window: tuple[float, float] | None = None) -> Any:
        """Give a frame as a Pillow image with square pixels."""
        frame = self.frames[at]
        low, high = _span(frame) if frame.ndim == 3 else window or np.percentile(frame, _PERCENTILES)
        shown = np.clip((frame - low) / max(high - low, 1e-9), 0, 1) * 255
        picture = extra("PIL.Image").fromarray(shown.astype(np.uint8))
        across, down = self.spacing
        ratio = max(0.1, min(10.0, down / across)) if across > 0 and down > 0 else 1.0
        return picture if abs(ratio - 1) < 0.01 else picture.resize((picture.width, round(picture.height * ratio)))


def _span(colours: Pixels) -> tuple[float, float]:
    """Give the values that colours can have: stretched, they would be other ones."""
    return (0, np.iinfo(colours.dtype).max) if colours.dtype.kind == "u" else (colours.min(), colours.max())


def contact_sheet(files: Sequence[Path], labels: Sequence[str], out: Path) -> list[Path]:
    """Show files as tiles under their labels; give the sheets that were written.

    The first sheet is `out`, further ones have `-2`, `-3` ... before the suffix. Sheets of before are replaced.
    """
    _libraries()
    tiles = (tile for file, label in zip(files, labels, strict=True) for tile in _tiles(file, label))
    written: list[Path] = []
    for number in count(1):
        page = list(islice(tiles, _ACROSS * _DOWN))  # memory holds one sheet
        if not page:
            break
        written.append(out if number == 1 else out.with_stem(f"{out.stem}-{number}"))
        _save(_sheet(page), written[-1])
    return written


def write_previews(folder: Path, files: pa.Table, out: Path) -> list[Made]:
    """Write a PNG for each series: the slice in the middle, in the window that its file names.

    `files` is of `FILES`.
    """
    _libraries()
    found = series_of(files)
    made: list[Made] = []
    for series, place in zip(found, places(_PLACES, [one.first for one in found]), strict=True):
        try:
            film = _film(folder / _middle(series)["path"])
            at = len(film.frames) // 2
            picture = film.picture(at, film.window)
            picture.thumbnail((_LONGEST, _LONGEST))
            (out / place).parent.mkdir(parents=True, exist_ok=True)
            _save(picture, out / place)
            made.append(Made(series, (place,)))
        except UserError as error:
            made.append(Made(series, (), str(error)))
    return made


def _libraries() -> None:
    """Look for what is needed, so that its lack is not taken for something wrong with every file."""
    extra("SimpleITK")
    extra("PIL.Image")


def _middle(series: Series) -> dict[str, Any]:
    try:
        rows = series.stacked()
    except UserError:
        rows = series.rows
    return rows[len(rows) // 2]


def _film(file: Path) -> _Film:
    sitk = extra("SimpleITK")
    require_modest([file])
    header = sitk.ImageFileReader()
    header.SetFileName(str(file))
    try:
        header.ReadImageInformation()
    except RuntimeError:
        raise UserError("no image, or its encoding is not known") from None
    values = int(np.prod(header.GetSize())) * header.GetNumberOfComponents()
    if values > _MOST_VALUES:
        raise UserError("too large to be shown")
    image = read_image([file])
    told = {key: image.GetMetaData(key).strip() for key in image.GetMetaDataKeys() if key.startswith("0028|")}
    frames = sitk.GetArrayFromImage(image)
    flat = 3 if image.GetNumberOfComponentsPerPixel() > 1 else 2
    frames = frames.reshape(-1, *frames.shape[-flat:])
    return _Film(frames, image.GetSpacing()[:2], _window(told) if flat == 2 else None)


def _window(told: dict[str, str]) -> tuple[float, float] | None:
    if told.get("0028|0004") == "MONOCHROME1":
        return None  # SimpleITK has turned the values round, and the window is one of those before
    try:
        center, width = (float(told[key].split("\\")[0]) for key in ("0028|1050", "0028|1051"))
    except (KeyError, ValueError):
        return None
    return (center - width / 2, center + width / 2) if width > 0 else None


def _tiles(file: Path, label: str) -> Iterator[tuple[Any, str]]:
    try:
        film = _film(file)
    except UserError as error:
        yield _reason(str(error)), label
        return
    frames = len(film.frames)
    for at in sorted({round(part * (frames - 1) / (_FRAMES - 1)) for part in range(_FRAMES)}):
        yield _fitted(film.picture(at)), label if frames == 1 else f"{label} · frame {at + 1} of {frames}"


def _fitted(picture: Any) -> Any:
    """Fill a tile; small pictures keep their pixels to be seen."""
    scale = _TILE / max(picture.size)
    size = tuple(max(1, round(side * scale)) for side in picture.size)
    resampling = extra("PIL.Image").Resampling
    return picture.resize(size, resampling.NEAREST if scale > 1 else resampling.LANCZOS)


def _reason(sentence: str) -> Any:
    tile = extra("PIL.Image").new("RGB", (_TILE, _TILE), _EMPTY)
    pen = extra("PIL.ImageDraw").Draw(tile)
    text = "not shown:\n" + sentence.replace(", ", ",\n").replace(": ", ":\n")
    pen.multiline_text((_TILE / 2, _TILE / 2), text, _INK, _font(), anchor="mm", align="center", spacing=6)
    return tile


def _sheet(tiles: Sequence[tuple[Any, str]]) -> Any:
    across, down = min(len(tiles), _ACROSS), -(-len(tiles) // _ACROSS)
    size = (across * (_TILE + _GAP) + _GAP, down * (_TILE + _LABEL + _GAP) + _GAP)
    sheet = extra("PIL.Image").new("RGB", size, _PAPER)
    pen = extra("PIL.ImageDraw").Draw(sheet)
    for at, (picture, label) in enumerate(tiles):
        left, top = _GAP + at % _ACROSS * (_TILE + _GAP), _GAP + at // _ACROSS * (_TILE + _LABEL + _GAP)
        pen.rectangle((left, top, left + _TILE - 1, top + _TILE - 1), _EMPTY)
        sheet.paste(picture.convert("RGB"), (left + (_TILE - picture.width) // 2, top + (_TILE - picture.height) // 2))
        pen.text((left + _TILE / 2, top + _TILE + _LABEL / 2), label, _INK, _font(), anchor="mm")
    return sheet


def _font() -> Any:
    return extra("PIL.ImageFont").load_default(14)


def _save(picture: Any, out: Path) -> None:
    with whole_file(out, overwrite=True) as draft:
        picture.save(draft, "PNG", optimize=False)
