"""Where BIDS has a place for an image, and its name there, as far as the header tells. Pure.

Descriptions are mostly gone from de-identified files, so that the contrast of MR follows from how it was acquired where
that leaves no doubt. What has no place, or whose place cannot be told, is given a reason and no guess.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

Row = Mapping[str, Any]

TASK = "unknown"
"""What somebody did in the scanner is in no header; BIDS wants a word for it."""
_MANY = 10
"""Volumes in time from which on echo-planar images are taken for a functional run."""
_WORDS = (
    ("FLAIR", re.compile(r"flair|dark.?fluid")),
    ("T2starw", re.compile(r"t2\*|t2.?star")),
    ("T1w", re.compile(r"\bt1|mprage|bravo|_t1")),
    ("T2w", re.compile(r"\bt2|_t2")),
    ("PDw", re.compile(r"\bpd\b|\bpdw\b|proton.?dens")),
)
_LOCALIZER = re.compile(r"localizer|scout|survey|topogram|3.?plane")
_ECHO = re.compile(r"_e(\d+)")
_ORDER = ("task", "ce", "run", "echo", "part")


@dataclass(frozen=True, slots=True)
class Image:
    """One image that was made of a series."""

    row: Row
    """What the first file of the series says."""
    ending: str
    """What dcm2niix put behind its name: an echo, a phase, or another thing made of the series."""
    volumes: int
    is_diffusion: bool


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of BIDS, what the name there ends with, and entities between: `func`, `bold`, task and echo."""

    folder: str
    suffix: str
    entities: tuple[tuple[str, str], ...] = ()

    def name(self, subject: str, session: str) -> str:
        """Give the path of an image without its suffix of a file."""
        told = dict(self.entities)
        parts = [f"sub-{subject}", f"ses-{session}", *(f"{key}-{told[key]}" for key in _ORDER if key in told)]
        return f"sub-{subject}/ses-{session}/{self.folder}/{'_'.join([*parts, self.suffix])}"


def place_of(image: Image) -> Place | str:
    """Give the place of an image in BIDS, or the reason why it has none."""
    modality = image.row["Modality"]
    if "LOCALIZER" in (image.row["ImageType"] or ()) or _LOCALIZER.search(_words(image.row)):
        return "a localizer"
    if modality not in ("MR", "CT", "PT"):
        return f"BIDS has no place for {modality or 'images of no modality'}"
    made = _entities(image.ending)
    if isinstance(made, str):
        return made
    if modality != "MR":
        name = "ct" if modality == "CT" else "pet"
        return Place(name, name, made) if not made else "dcm2niix made several images of it"
    if (image.row["ImageType"] or ("",))[0] == "DERIVED":
        return "images derived from others"
    found = _of_resonance(image)
    return found if isinstance(found, str) else replace(found, entities=(*found.entities, *made))


def numbered(places: Sequence[tuple[str, Place]]) -> list[Place]:
    """Number as runs the series of a session that would share a name; each place comes with its series."""
    sharing: defaultdict[Place, dict[str, int]] = defaultdict(dict)
    for series, place in places:
        runs = sharing[_without_parts(place)]
        runs.setdefault(series, len(runs) + 1)
    return [_with_run(place, sharing[_without_parts(place)], series) for series, place in places]


def _with_run(place: Place, runs: dict[str, int], series: str) -> Place:
    return replace(place, entities=(*place.entities, ("run", str(runs[series])))) if len(runs) > 1 else place


def labels(texts: Mapping[str, str]) -> dict[str, str]:
    """Give each key a label of the letters and digits of its text; what two would share gets a part of a hash."""
    plain = {key: re.sub(r"[^A-Za-z0-9]", "", text) or "unknown" for key, text in texts.items()}
    count = Counter(label.lower() for label in plain.values())
    return {
        key: label if count[label.lower()] == 1 else f"{label}x{sha256(key.encode()).hexdigest()[:8]}"
        for key, label in plain.items()
    }


def _entities(ending: str) -> tuple[tuple[str, str], ...] | str:
    echo = _ECHO.search(ending)
    rest = _ECHO.sub("", ending)
    if re.fullmatch(r"_i\d+", rest):
        return "its slices lie in several directions"
    if rest not in ("", "_ph"):
        return f"dcm2niix made it beside the images themselves ({rest.strip('_')})"
    return (*((("echo", echo[1]),) if echo else ()), *((("part", "phase"),) if rest else ()))


def _of_resonance(image: Image) -> Place | str:
    row = image.row
    sequence, variant = row["ScanningSequence"] or (), row["SequenceVariant"] or ()
    if image.is_diffusion:
        return Place("dwi", "dwi")
    if "EP" in sequence and image.volumes >= _MANY and "SE" not in sequence:
        return Place("func", "bold", (("task", TASK),))
    if image.volumes > 1:
        return "several volumes in time, and no functional run"
    if "EP" in sequence:
        return "echo-planar images of few volumes"
    words = _words(row)
    named = next((suffix for suffix, pattern in _WORDS if pattern.search(words)), None)
    suffix = named or _contrast(row, set(sequence), set(variant))
    if suffix is None:
        return "its contrast cannot be told from the header"
    return Place("anat", suffix, (("ce", "contrast"),) if row["ContrastBolusAgent"] else ())


def _contrast(row: Row, sequence: set[str], variant: set[str]) -> str | None:
    """Tell the contrast where the numbers leave no doubt, in ms and degrees; brains at 1.5 and 3 T are meant."""
    repetition, echo, inversion = (row[name] for name in ("RepetitionTime", "EchoTime", "InversionTime"))
    if repetition is None or echo is None:
        return None
    if inversion and inversion >= 1500 and repetition >= 4000 and echo >= 60:
        return "FLAIR"
    if inversion and 500 <= inversion <= 1300 and echo <= 10 and row["MRAcquisitionType"] == "3D" and "MP" in variant:
        return "T1w"
    if "SE" in sequence and not inversion:
        if repetition <= 900 and echo <= 25:
            return "T1w"
        if repetition >= 2000:
            return "T2w" if echo >= 70 else "PDw" if echo <= 35 else None
    return None


def _words(row: Row) -> str:
    return " ".join(row[name] or "" for name in ("SeriesDescription", "ProtocolName")).lower()


def _without_parts(place: Place) -> Place:
    return replace(place, entities=tuple(one for one in place.entities if one[0] not in ("echo", "part")))
