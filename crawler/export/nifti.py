"""Series as NIfTI with BIDS sidecars, by dcm2niix: a process for each series, which ends with us and within limits.

dcm2niix tells much that quotes files, so none of its words are passed on: what went wrong is told in ours. A sidecar
keeps what is known without the header, and of attributes those alone that the header has.

Touches: processes, disk.
"""

from __future__ import annotations

import gzip
import json
import resource
import signal
import struct
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from crawler.errors import UserError
from crawler.export.extra import extra
from crawler.export.series import Made, Series, series_of
from crawler.export.template import places
from crawler.orphans import ender
from crawler.retrieve.unpacking import require_modest

VOLUME, SIDECAR, DIFFUSION = ".nii.gz", ".json", (".bval", ".bvec")
PLACES = "{PatientID}/{StudyDate}_{StudyInstanceUID}/{SeriesNumber}_{Modality}"
_STEM = "series"
_ARGUMENTS = ("-g", "i", "-b", "y", "-ba", "y", "-z", "i", "-w", "1", "-f", _STEM)
"""No defaults of whoever runs it; sidecars without dates and names; compressed by itself."""
_RESAMPLED = {
    "_Eq": "slices are missing or unevenly spaced, so that places are wrong in it; in _Eq they are made even",
    "_Tilt": "the gantry was tilted; in _Tilt the slices are shifted back",
}
_ENDS = {
    1: "an image of it cannot be read",
    2: "no image, or its encoding is not known to dcm2niix",
    4: "a file of it is damaged",
    8: "some of its images cannot be converted",
    10: "volumes of it are not complete",
}
"""What its exit codes mean."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What converting one series may take."""

    seconds: float = 900.0
    memory: int = 16 << 30
    """Address space in bytes."""


@dataclass(frozen=True, slots=True)
class Converted:
    """What dcm2niix made of a series, in the folder where it was to put it."""

    images: tuple[str, ...]
    """What each image has behind the common part of the names: `` or `_e2`, say."""
    reason: str | None

    def files(self, folder: Path, image: str) -> dict[str, Path]:
        """Give the files of an image by their suffix."""
        suffixes = (VOLUME, SIDECAR, *DIFFUSION)
        return {suffix: file for suffix in suffixes if (file := folder / f"{_STEM}{image}{suffix}").is_file()}


def version() -> str:
    """Say which dcm2niix it is. UserError where there is none."""
    return str(extra("dcm2niix", "NIfTI files").__version__)


def write_nifti(folder: Path, files: pa.Table, out: Path, limits: Limits | None = None) -> list[Made]:
    """Convert each series of a dataset; say what became of it. `files` is of `FILES`, its paths are below `folder`."""
    found = series_of(files)
    named = zip(found, places(PLACES, [one.first for one in found]), strict=True)
    return [write_series(folder, series, out, place, limits) for series, place in named]


def write_series(folder: Path, series: Series, out: Path, place: str, limits: Limits | None = None) -> Made:
    """Convert one series: `place` is where its files lie below `out`, less their suffixes; replace what lies there."""
    target = out / place
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".nifti-", dir=target.parent) as made:
        converted = convert(folder, series, Path(made), limits)
        names = []
        for image in converted.images:
            for suffix, file in converted.files(Path(made), image).items():
                names.append(f"{place}{image}{suffix}")
                file.replace(out / names[-1])
    return Made(series, tuple(names), converted.reason, place)


def convert(folder: Path, series: Series, made: Path, limits: Limits | None = None) -> Converted:
    """Convert a series into files in the folder `made`. UserError where dcm2niix is not installed."""
    program = extra("dcm2niix", "NIfTI files").bin
    files = [folder / row["path"] for row in series.rows]
    try:
        require_modest(files)
    except UserError as error:
        return Converted((), str(error))
    with tempfile.TemporaryDirectory(dir=made) as links:
        for number, file in enumerate(files):
            (Path(links) / f"{number}.dcm").symlink_to(file.absolute())
        failed = _run([program, *_ARGUMENTS, "-o", str(made), links], limits or Limits())
    images = tuple(sorted(file.name[len(_STEM) : -len(VOLUME)] for file in made.glob(f"{_STEM}*{VOLUME}")))
    _clean(made, files[0])
    for image in images:
        for file in made.glob(f"{_STEM}{image}.*"):
            file.chmod(0o600)
    told = [failed, *(told for ending, told in _RESAMPLED.items() if any(ending in image for image in images))]
    missing = _missing(made, images, series)
    reason = "; ".join(sentence for sentence in (*told, missing) if sentence)
    return Converted(images, reason or None)


def _run(command: Sequence[str], limits: Limits) -> str | None:
    """Run it, without our environment; say what went wrong."""
    nowhere = subprocess.DEVNULL
    try:
        done = subprocess.run(
            command,
            stdin=nowhere,
            stdout=nowhere,
            stderr=nowhere,
            env={},
            timeout=limits.seconds,
            preexec_fn=_bound(limits.memory),
        )
    except subprocess.TimeoutExpired:
        return f"dcm2niix was ended after {limits.seconds:g} seconds"
    if done.returncode < 0:
        return f"dcm2niix broke down ({signal.Signals(-done.returncode).name}): damaged, or too large for memory"
    return _ENDS.get(done.returncode, f"dcm2niix failed ({done.returncode})") if done.returncode else None


def _bound(memory: int) -> Callable[[], None]:
    """Give what the new process does first: it takes no more memory than that, leaves no core, and dies with us.

    The thread that started it therefore waits for it.
    """
    end_with_us = ender()

    def limit() -> None:
        end_with_us()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with suppress(ValueError, OSError):  # less than that may be allowed
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))

    return limit


def _clean(made: Path, file: Path) -> None:
    """Take from sidecars the attributes that the header does not have: dcm2niix makes some up."""
    from pydicom import dcmread
    from pydicom.datadict import tag_for_keyword

    sidecars = list(made.glob(f"{_STEM}*{SIDECAR}"))
    if not sidecars:
        return
    with warnings.catch_warnings(action="ignore"):  # they quote values
        header = dcmread(file, stop_before_pixels=True)
        known = {element.keyword for element in header.iterall() if not element.is_empty}
    for sidecar in sidecars:
        told = json.loads(sidecar.read_bytes())
        kept = {key: value for key, value in told.items() if key in known or tag_for_keyword(key) is None}
        sidecar.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _missing(made: Path, images: Sequence[str], series: Series) -> str | None:
    """Say how many images of the series are in no volume, if any."""
    if not images:
        return None
    wanted = sum(row["NumberOfFrames"] or 1 for row in series.rows)
    plain = [image for image in images if not any(ending in image for ending in (*_RESAMPLED, "_ROI"))]
    there = sum(planes(made / f"{_STEM}{image}{VOLUME}") for image in plain)
    return f"{wanted - there:,} of {wanted:,} images are not in it" if there < wanted else None


def shape(volume: Path) -> tuple[int, ...]:
    """Give the size of a compressed NIfTI file along its axes, from its header. UserError where it is none."""
    with suppress(OSError, EOFError, struct.error), gzip.open(volume) as file:
        head = file.read(56)
        for order in "<>":
            (size,) = struct.unpack(f"{order}i", head[:4])
            if size == 348:
                count, *axes = struct.unpack(f"{order}8h", head[40:56])
                return tuple(axes[:count])
    raise UserError(f"{volume.name} is no NIfTI file")


def planes(volume: Path) -> int:
    """Count the slices of a NIfTI file, over all its times."""
    product = 1
    for size in shape(volume)[2:]:
        product *= size
    return product
