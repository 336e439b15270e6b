"""Numbers as columns of words: each attribute of the catalogue has one function here, run only when asked. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crawler.pacs.numerals import NOTHING, Ints, calendar_numbers, digits, joined
from crawler.testing import people
from crawler.testing.block import UNDATED, Block
from crawler.testing.hospital import MODALITIES
from crawler.testing.numbers import EPOCH, chosen, unit_hash, words
from crawler.testing.schedule import DAY_SECONDS

CHARSETS = pa.array([[], ["ISO_IR 100"], ["ISO_IR 192"]], pa.list_(pa.string()))
_AVAILABILITIES = words(["ONLINE", "NEARLINE"])
_LAST_US = (DAY_SECONDS - 1) * 1_000_000
_SERIES_STEP_US = 95_000_000
_IMAGE_STEP_US = 400_000


@dataclass(frozen=True, eq=False)
class Images:
    """The images of some of a block's series, chosen by position."""

    block: Block
    series: Ints

    @cached_property
    def of_series(self) -> Ints:
        """Position of each image's series within the block."""
        return np.repeat(self.series, self.block.series_images[self.series])

    @cached_property
    def key(self) -> Ints:
        """Day of each image."""
        return self.block.key[self.block.series_study[self.of_series]]

    @cached_property
    def number(self) -> Ints:
        """Number of each image within its series, from 1."""
        counts = self.block.series_images[self.series]
        return np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + 1

    @cached_property
    def time_us(self) -> Ints:
        """Time of day of each image."""
        times: Ints = np.minimum(series_time_us(self.block)[self.of_series] + self.number * _IMAGE_STEP_US, _LAST_US)
        return times


def series_time_us(block: Block) -> Ints:
    """Give each series' time of day: one and a half minutes a series, never past midnight."""
    times: Ints = np.minimum(block.time_us[block.series_study] + series_numbers(block) * _SERIES_STEP_US, _LAST_US)
    return times


def series_numbers(block: Block) -> Ints:
    """Give each series' number within its study, from 1."""
    numbers: Ints = np.arange(len(block.series_study)) - block.first_series[block.series_study] + 1
    return numbers


def study_uids(block: Block) -> pa.Array:
    """Give the StudyInstanceUIDs."""
    return joined(uid_root(block.seed), _stamps(block, 8), digits(block.number, 6))


def series_uids(block: Block) -> pa.Array:
    """Give the SeriesInstanceUIDs."""
    return joined(chosen(study_uids(block), block.series_study), digits(series_numbers(block), 3))


def uid_root(seed: int) -> str:
    """Give what all UIDs of an archive begin with."""
    return f"2.25.{10**13 + seed * 7_777_777_777 % (9 * 10**13):014d}"


def _stamps(block: Block, width: int) -> pa.Array:
    """Give each study's day as YYYYMMDD or YYMMDD, zeros for the undated ones."""
    dated = block.key != UNDATED
    return digits(calendar_numbers(np.where(dated, block.key - EPOCH, 0)) * dated, width)


def _dates(key: Ints) -> pa.Array:
    undated = key == UNDATED
    days = (key - EPOCH).astype(np.int32)
    return pa.array(days, pa.date32(), mask=undated if undated.any() else None)


def _times(ticks: Ints) -> pa.Array:
    return pa.array(ticks).cast(pa.time64("us"))


def _study_times(block: Block) -> pa.Array:
    untimed = unit_hash(block.key * 1_000_003 + block.number, block.seed) < block.hospital.untimed
    return pa.array(block.time_us, mask=untimed).cast(pa.time64("us"))


def _retrieve_ae(block: Block, count: int) -> pa.Array:
    titles = pa.array([[block.hospital.retrieve_ae]], pa.list_(pa.string()))
    return titles.take(pa.array(np.zeros(count, np.int64)))


def _availability(block: Block) -> pa.Array:
    old = (block.key != UNDATED) & (block.key < block.hospital.nearline_before)
    return chosen(_AVAILABILITIES, (old & (unit_hash(block.patient, 8) < 0.35)).astype(np.int64))


def _accession(block: Block) -> pa.Array:
    numbers = joined("A", _stamps(block, 6), digits(block.number, 6))
    return _emptied(numbers, block.odd < 0.02)


def _emptied(column: pa.Array, where: npt.NDArray[np.bool_]) -> pa.Array:
    return pc.if_else(pa.array(where), NOTHING, column)


def _modalities(block: Block) -> pa.Array:
    if not len(block.key):
        return pa.array([], pa.list_(pa.string()))
    bits = np.bitwise_or.reduceat(block.hospital.modality_bits[block.series_kind], block.first_series[:-1])
    sets, codes = np.unique(bits, return_inverse=True)
    lists = [[m for n, m in enumerate(MODALITIES) if bit >> n & 1] for bit in sets.tolist()]
    return chosen(pa.array(lists, pa.list_(pa.string())), codes)


def _instances(block: Block) -> pa.Array:
    totals = np.concatenate(([0], np.cumsum(block.series_images)))[block.first_series]
    return pa.array(np.diff(totals))


def _exam_descriptions(block: Block) -> pa.Array:
    return chosen(block.hospital.exam_descriptions, block.exam)


def _physician(part: int) -> Callable[[Block], pa.Array]:
    return lambda block: chosen(people.physician_table()[part], block.physician)


def _name(part: str) -> Callable[[Block], pa.Array]:
    return lambda block: people.name_columns(block.patient)[part]


def _patient(keyword: str) -> Callable[[Block], pa.Array]:
    return lambda block: people.patient_column(block.patient, keyword)


def _scanner(keyword: str) -> Callable[[Block], pa.Array]:
    return lambda block: chosen(block.hospital.scanner_words[keyword], block.scanner)


def _of_study(column: Callable[[Block], pa.Array]) -> Callable[[Block], pa.Array]:
    return lambda block: chosen(column(block), block.series_study)


def _kind(keyword: str) -> Callable[[Block], pa.Array]:
    return lambda block: chosen(block.hospital.kind_words[keyword], block.series_kind)


def _of_series(column: Callable[[Block], pa.Array]) -> Callable[[Images], pa.Array]:
    return lambda images: chosen(column(images.block), images.of_series)


def _thickness(images: Images) -> npt.NDArray[np.float64]:
    return images.block.hospital.thickness[images.block.series_kind[images.of_series]]


def _location(images: Images) -> pa.Array:
    return _decimals(np.round(_thickness(images) * images.number - 100.5, 2))


def _decimals(values: npt.NDArray[np.float64]) -> pa.Array:
    return pa.array(values, mask=np.isnan(values))


def _frames(images: Images) -> pa.Array:
    several = images.block.hospital.multi_frame[images.block.series_kind[images.of_series]] == 1
    frames = 1 + (unit_hash(images.number * 7919 + images.block.series_images[images.of_series], 9) ** 3 * 90).astype(
        np.int64
    )
    return pa.array(frames, mask=~several)


def _acquired(images: Images) -> pa.Array:
    sliced = ~np.isnan(_thickness(images))
    ticks = images.time_us + (images.key - EPOCH) * DAY_SECONDS * 1_000_000
    return pa.array(ticks, mask=~sliced | (images.key == UNDATED)).cast(pa.timestamp("us"))


STUDY: dict[str, Callable[[Block], pa.Array]] = {
    "SpecificCharacterSet": lambda block: chosen(CHARSETS, block.repertoire),
    "StudyDate": lambda block: _dates(block.key),
    "StudyTime": _study_times,
    "AccessionNumber": _accession,
    "RetrieveAETitle": lambda block: _retrieve_ae(block, len(block.key)),
    "InstanceAvailability": _availability,
    "ModalitiesInStudy": _modalities,
    "InstitutionName": _scanner("InstitutionName"),
    "ReferringPhysicianName": _physician(0),
    "referring_physician_family_name": _physician(1),
    "referring_physician_given_name": _physician(2),
    "StudyDescription": _exam_descriptions,
    "PatientName": _name("PatientName"),
    "patient_family_name": _name("patient_family_name"),
    "patient_given_name": _name("patient_given_name"),
    "PatientID": lambda block: people.patient_ids(block.patient),
    "IssuerOfPatientID": _patient("IssuerOfPatientID"),
    "PatientBirthDate": _patient("PatientBirthDate"),
    "PatientSex": _patient("PatientSex"),
    "StudyInstanceUID": study_uids,
    "StudyID": lambda block: pa.array(block.number + 1).cast(pa.string()),
    "NumberOfStudyRelatedSeries": lambda block: pa.array(np.diff(block.first_series)),
    "NumberOfStudyRelatedInstances": _instances,
}

SERIES: dict[str, Callable[[Block], pa.Array]] = {
    "SpecificCharacterSet": _of_study(STUDY["SpecificCharacterSet"]),
    "SeriesDate": lambda block: _dates(block.key[block.series_study]),
    "SeriesTime": lambda block: _times(series_time_us(block)),
    "RetrieveAETitle": lambda block: _retrieve_ae(block, len(block.series_study)),
    "InstanceAvailability": _of_study(_availability),
    "Modality": _kind("Modality"),
    "Manufacturer": _of_study(_scanner("Manufacturer")),
    "InstitutionName": _of_study(_scanner("InstitutionName")),
    "StationName": _of_study(_scanner("StationName")),
    "SeriesDescription": _kind("SeriesDescription"),
    "ManufacturerModelName": _of_study(_scanner("ManufacturerModelName")),
    "BodyPartExamined": _kind("BodyPartExamined"),
    "ProtocolName": _kind("ProtocolName"),
    "StudyInstanceUID": _of_study(study_uids),
    "SeriesInstanceUID": series_uids,
    "SeriesNumber": lambda block: pa.array(series_numbers(block)),
    "Laterality": _kind("Laterality"),
    "NumberOfSeriesRelatedInstances": lambda block: pa.array(block.series_images),
    "PatientID": _of_study(STUDY["PatientID"]),
}

IMAGE: dict[str, Callable[[Images], pa.Array]] = {
    "SpecificCharacterSet": _of_series(SERIES["SpecificCharacterSet"]),
    "ImageType": _of_series(_kind("ImageType")),
    "SOPClassUID": _of_series(_kind("SOPClassUID")),
    "SOPInstanceUID": lambda images: joined(_of_series(series_uids)(images), digits(images.number, 5)),
    "ContentDate": lambda images: _dates(images.key),
    "AcquisitionDateTime": _acquired,
    "ContentTime": lambda images: _times(images.time_us),
    "SliceThickness": lambda images: _decimals(_thickness(images)),
    "StudyInstanceUID": _of_series(SERIES["StudyInstanceUID"]),
    "SeriesInstanceUID": _of_series(series_uids),
    "InstanceNumber": lambda images: pa.array(images.number),
    "SliceLocation": _location,
    "NumberOfFrames": _frames,
    "Rows": _of_series(_kind("Rows")),
    "Columns": _of_series(_kind("Columns")),
    "PatientID": _of_series(SERIES["PatientID"]),
}


def study_columns(block: Block, keywords: Sequence[str]) -> dict[str, pa.Array]:
    """Give these columns of the studies."""
    return {keyword: STUDY[keyword](block) for keyword in keywords}


def series_columns(block: Block, keywords: Sequence[str]) -> dict[str, pa.Array]:
    """Give these columns of the series."""
    return {keyword: SERIES[keyword](block) for keyword in keywords}


def image_columns(images: Images, keywords: Sequence[str]) -> dict[str, pa.Array]:
    """Give these columns of some images."""
    return {keyword: IMAGE[keyword](images) for keyword in keywords}
