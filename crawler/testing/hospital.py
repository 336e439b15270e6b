"""The synthetic hospital: which exams are how frequent, and the tables that turn codes into words. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from crawler.pacs.numerals import Ints
from crawler.testing.numbers import Reals, words
from crawler.testing.people import repertoire
from crawler.testing.vocabulary import SCANNERS, Exam, SeriesKind, exams

PIXELS = {
    "CT": (512, 512), "MR": (320, 320), "PT": (200, 200), "NM": (256, 256), "US": (768, 1024), "XA": (512, 512),
    "DX": (2800, 2320), "CR": (2140, 1760), "MG": (3328, 2560), "RF": (1024, 1024), "SC": (600, 800), "SR": (0, 0),
}  # fmt: skip
"""Rows and columns of an image by modality."""
SOP_CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2", "MR": "1.2.840.10008.5.1.4.1.1.4", "PT": "1.2.840.10008.5.1.4.1.1.128",
    "NM": "1.2.840.10008.5.1.4.1.1.20", "US": "1.2.840.10008.5.1.4.1.1.6.1", "XA": "1.2.840.10008.5.1.4.1.1.12.1",
    "DX": "1.2.840.10008.5.1.4.1.1.1.1", "CR": "1.2.840.10008.5.1.4.1.1.1", "MG": "1.2.840.10008.5.1.4.1.1.1.2",
    "RF": "1.2.840.10008.5.1.4.1.1.12.2", "SC": "1.2.840.10008.5.1.4.1.1.7", "SR": "1.2.840.10008.5.1.4.1.1.88.67",
}  # fmt: skip
"""SOP classes by modality (PS3.4 B.5)."""
MODALITIES = tuple(PIXELS)
MULTI_FRAME = ("US", "XA", "RF", "NM")
SLICED = ("CT", "MR", "PT")


@dataclass(frozen=True)
class Hospital:
    """Frequencies chosen so that a study has `series_per_study` series on average, and tables of words by code."""

    series_per_study: float
    retrieve_ae: str
    nearline_before: int = 0
    """Days with a smaller ordinal are partly on tape."""
    untimed: float = 0.0
    """Share of the studies that have no StudyTime."""
    size: tuple[int, int] = (0, 0)
    """Rows and columns of every image; 0 for those that its modality has."""
    most_images: int = 0
    """No series has more images; 0 for as many as real ones have."""

    @cached_property
    def exams(self) -> tuple[Exam, ...]:
        """Every kind of exam."""
        return exams()

    @cached_property
    def kinds(self) -> tuple[tuple[Exam, SeriesKind], ...]:
        """Every kind of series with its exam; an index into this is a kind's code."""
        return tuple((exam, kind) for exam in self.exams for kind in exam.series)

    @cached_property
    def exam_descriptions(self) -> pa.Array:
        """StudyDescription by exam."""
        return words([exam.description for exam in self.exams])

    @cached_property
    def exam_shares(self) -> tuple[Reals, Reals]:
        """Cumulative shares of the exams on weekdays and at weekends."""
        base = np.array([exam.share for exam in self.exams])
        sizes = np.array([sum(kind.chance for kind in exam.series) for exam in self.exams])
        weekday = base * np.exp(_tilt(base, sizes, self.series_per_study) * sizes)
        weekend = weekday * np.where([exam.acute for exam in self.exams], 1.0, 0.04)
        weekday_sum, weekend_sum = np.cumsum(weekday), np.cumsum(weekend)
        return weekday_sum / weekday_sum[-1], weekend_sum / weekend_sum[-1]

    @cached_property
    def chances(self) -> Reals:
        """Chance of each exam's n-th kind of series; 0 where the exam has fewer."""
        matrix = np.zeros((len(self.exams), max(len(exam.series) for exam in self.exams)))
        for row, exam in zip(matrix, self.exams, strict=True):
            row[: len(exam.series)] = [kind.chance for kind in exam.series]
        return matrix

    @cached_property
    def first_kinds(self) -> Ints:
        """Code of each exam's first kind of series."""
        return np.cumsum([0, *(len(exam.series) for exam in self.exams)])[:-1]

    @cached_property
    def image_bounds(self) -> tuple[Ints, Ints]:
        """Least and greatest number of images by kind."""
        bounds = np.array([(kind.images_low, kind.images_high) for _, kind in self.kinds])
        low, high = np.minimum(bounds, self.most_images or bounds).T
        return low, high

    @cached_property
    def modality_bits(self) -> Ints:
        """One bit for each kind's modality, by position in `MODALITIES`."""
        return np.array([1 << MODALITIES.index(kind.modality) for _, kind in self.kinds])

    @cached_property
    def scanners_by_exam(self) -> tuple[Ints, Ints]:
        """First scanner of each exam's modality, and how many there are (they stand side by side)."""
        able = [[n for n, s in enumerate(SCANNERS) if exam.modality in s.modalities] for exam in self.exams]
        return np.array([numbers[0] for numbers in able]), np.array([len(numbers) for numbers in able])

    @cached_property
    def repertoires(self) -> Ints:
        """Which character set each exam's texts need."""
        return np.array([max(map(repertoire, (e.description, *(k.description for k in e.series)))) for e in self.exams])

    @cached_property
    def parity(self) -> tuple[Ints, Ints]:
        """Bits to set and to clear in a patient's number, because some exams are for one sex only."""
        women = [exam.body_part == "BREAST" for exam in self.exams]
        men = [exam.body_part == "PROSTATE" for exam in self.exams]
        return np.array(women, np.int64), np.array(men, np.int64)

    @cached_property
    def scanner_words(self) -> dict[str, pa.Array]:
        """Attributes that follow from the scanner."""
        return {
            "Manufacturer": words([scanner.manufacturer for scanner in SCANNERS]),
            "ManufacturerModelName": words([scanner.model for scanner in SCANNERS]),
            "StationName": words([scanner.station for scanner in SCANNERS]),
            "InstitutionName": words([scanner.institution for scanner in SCANNERS]),
        }

    @cached_property
    def fine_clocks(self) -> Ints:
        """1 for the scanners that write fractions of a second, which not all do."""
        return np.array([scanner.manufacturer == "SIEMENS" for scanner in SCANNERS], np.int64)

    @cached_property
    def kind_words(self) -> dict[str, pa.Array]:
        """Attributes that follow from the kind of series."""
        pairs = self.kinds
        natural = [PIXELS[kind.modality] for _, kind in pairs]
        pixels = [(rows and (self.size[0] or rows), columns and (self.size[1] or columns)) for rows, columns in natural]
        return {
            "Modality": words([kind.modality for _, kind in pairs]),
            "SeriesDescription": words([kind.description for _, kind in pairs]),
            "BodyPartExamined": words(["" if kind.modality in ("SR", "SC") else e.body_part for e, kind in pairs]),
            "ProtocolName": words([e.description if kind.modality in SLICED else "" for e, kind in pairs]),
            "Laterality": words([_laterality(exam, kind) for exam, kind in pairs]),
            "SOPClassUID": words([SOP_CLASSES[kind.modality] for _, kind in pairs]),
            "ImageType": pa.array([_image_type(kind) for _, kind in pairs], pa.list_(pa.string())),
            "Rows": pa.array([rows or None for rows, _ in pixels], pa.int64()),
            "Columns": pa.array([columns or None for _, columns in pixels], pa.int64()),
        }

    @cached_property
    def thickness(self) -> Reals:
        """Slice thickness by kind, NaN where there are no slices."""
        return np.array([_thickness(kind) for _, kind in self.kinds])

    @cached_property
    def multi_frame(self) -> Ints:
        """1 for the kinds whose images have several frames."""
        return np.array([kind.modality in MULTI_FRAME for _, kind in self.kinds], np.int64)


def _tilt(shares: Reals, sizes: Reals, mean: float) -> float:
    """Find t so that shares * exp(t * sizes) give studies of `mean` series on average, by bisection."""
    low, high = -5.0, 5.0
    for _ in range(60):
        middle = (low + high) / 2
        tilted = shares * np.exp(middle * (sizes - mean))
        low, high = (middle, high) if (tilted * sizes).sum() < mean * tilted.sum() else (low, middle)
    return low


def _laterality(exam: Exam, kind: SeriesKind) -> str:
    if kind.modality == "MG" and kind.description[:2] in ("R ", "L "):
        return kind.description[0]
    words = set(exam.description.lower().split())
    if words & {"left", "links"}:
        return "L"
    return "R" if words & {"right", "rechts"} else ""


def _image_type(kind: SeriesKind) -> list[str]:
    derived = re.match(r"MIP|Coronal|Sagittal|ADC|Subtr|Fusion|Screen", kind.description)
    origin = ["DERIVED", "SECONDARY"] if derived else ["ORIGINAL", "PRIMARY"]
    extra = {"CT": ["LOCALIZER" if kind.description in ("Topogram", "Scout") else "AXIAL"], "MR": ["M", "ND"]}
    return [] if kind.modality == "SR" else origin + extra.get(kind.modality, [])


def _thickness(kind: SeriesKind) -> float:
    if kind.modality not in SLICED:
        return float("nan")
    stated = re.search(r"\d+\.\d", kind.description)
    return float(stated[0]) if stated else 3.5
