"""Some days of a synthetic archive as numbers: what happened, to whom, on which scanner. Words come later, when asked.

A day follows from `(seed, day)` alone, so any day can be made without the others. UIDs say where to look a thing up:
2.25.<seed><day><study><series><instance> with 14, 8, 6, 3 and 5 digits, which is below 2**128 as 2.25 wants
(PS3.5 B.2). Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crawler.pacs.numerals import Ints
from crawler.testing.hospital import Hospital
from crawler.testing.numbers import Reals, pick, uniform, unit_hash
from crawler.testing.people import name_repertoires, physician_table
from crawler.testing.schedule import seconds_of_day

UNDATED = 0
"""Key of the studies that have no StudyDate; the key of a day is its proleptic ordinal."""
STUDY_UID_LENGTH = 5 + 14 + 8 + 6
SERIES_UID_LENGTH = STUDY_UID_LENGTH + 3
INSTANCE_UID_LENGTH = SERIES_UID_LENGTH + 5

_EXAM, _TIME, _PATIENT, _SCANNER, _PHYSICIAN, _ODD, _DRAWS = range(7)
_OF_STUDIES = ("key", "number", "exam", "scanner", "physician", "patient", "time_us", "repertoire", "odd")
_OF_SERIES = ("series_kind", "series_images")


@dataclass(frozen=True)
class Population:
    """How many patients the archive may have; an even number, because parity is sex."""

    patients: int
    seed: int


@dataclass(frozen=True, eq=False)
class Block:
    """Studies in order of day and time, and their series in order of study and number."""

    seed: int
    hospital: Hospital
    key: Ints
    """Each study's day."""
    number: Ints
    """Each study's number within its day, from 0."""
    exam: Ints
    scanner: Ints
    physician: Ints
    patient: Ints
    time_us: Ints
    repertoire: Ints
    odd: Reals
    first_series: Ints
    """Where each study's series begin, and at the end their number."""
    series_study: Ints
    series_kind: Ints
    series_images: Ints

    @property
    def nbytes(self) -> int:
        """Memory that the numbers take."""
        return 80 * len(self.key) + 24 * len(self.series_study)

    def part(self, start: int, stop: int) -> Block:
        """Give the studies from `start` to before `stop`."""
        series = slice(*self.first_series[[start, stop]].tolist())
        return Block(
            seed=self.seed,
            hospital=self.hospital,
            first_series=self.first_series[start : stop + 1] - series.start,
            series_study=self.series_study[series] - start,
            **{name: getattr(self, name)[start:stop] for name in _OF_STUDIES},
            **{name: getattr(self, name)[series] for name in _OF_SERIES},
        )


def join_blocks(blocks: Sequence[Block]) -> Block:
    """Put blocks behind each other."""
    if len(blocks) == 1:
        return blocks[0]
    sizes = np.cumsum([0, *(len(block.key) for block in blocks)])
    study = np.concatenate([block.series_study + start for block, start in zip(blocks, sizes[:-1], strict=True)])
    return Block(
        seed=blocks[0].seed,
        hospital=blocks[0].hospital,
        first_series=np.searchsorted(study, np.arange(sizes[-1] + 1)),
        series_study=study,
        **{name: np.concatenate([getattr(block, name) for block in blocks]) for name in _OF_STUDIES + _OF_SERIES},
    )


def make_day(key: int, count: int, hospital: Hospital, population: Population) -> Block:
    """Make the numbers of one day with `count` studies."""
    draws = uniform(population.seed, key, (count, _DRAWS + hospital.chances.shape[1]))
    weekend = key != UNDATED and (key - 1) % 7 >= 5
    exam = pick(draws[:, _EXAM], hospital.exam_shares[weekend])
    acute = np.array([e.acute for e in hospital.exams])[exam]
    seconds = seconds_of_day(draws[:, _TIME], acute)
    order = np.argsort(seconds, kind="stable")
    draws, exam, seconds = draws[order], exam[order], seconds[order]
    first, able = hospital.scanners_by_exam
    scanner = first[exam] + (draws[:, _SCANNER] * able[exam]).astype(np.int64)
    patient = _patients(draws[:, _PATIENT], exam, hospital, population)
    physician = (draws[:, _PHYSICIAN] * len(physician_table()[3])).astype(np.int64)
    study, kind, images = _series(draws[:, _DRAWS:], exam, hospital)
    return Block(
        seed=population.seed,
        hospital=hospital,
        key=np.full(count, key),
        number=np.arange(count),
        exam=exam,
        scanner=scanner,
        physician=physician,
        patient=patient,
        time_us=_ticks(seconds, hospital.fine_clocks[scanner]),
        repertoire=_repertoires(exam, patient, physician, hospital),
        odd=draws[:, _ODD].copy(),
        first_series=np.searchsorted(study, np.arange(count + 1)),
        series_study=study,
        series_kind=kind,
        series_images=images,
    )


def _patients(draws: Reals, exam: Ints, hospital: Hospital, population: Population) -> Ints:
    """Choose patients, some much more often than others."""
    women, men = hospital.parity
    numbers = (draws**1.2 * population.patients).astype(np.int64)
    return (numbers | women[exam]) & ~men[exam]


def _series(draws: Reals, exam: Ints, hospital: Hospital) -> tuple[Ints, Ints, Ints]:
    """Choose each study's series and their numbers of images; small numbers of images are more frequent."""
    chances = hospital.chances[exam]
    study, position = np.nonzero(draws < chances)
    kind = hospital.first_kinds[exam[study]] + position
    low, high = (bounds[kind] for bounds in hospital.image_bounds)
    share = draws[study, position] / chances[study, position]
    return study, kind, low + (share**1.5 * (high - low + 1)).astype(np.int64)


def _ticks(seconds: Reals, fine: Ints) -> Ints:
    """Round to milliseconds where the scanner's clock is fine, else to seconds; as microseconds."""
    return np.where(fine == 1, (seconds * 1000).astype(np.int64) * 1000, seconds.astype(np.int64) * 1_000_000)


def _repertoires(exam: Ints, patient: Ints, physician: Ints, hospital: Hospital) -> Ints:
    """Give the character set of each study: what its texts need, and sometimes ISO_IR 100 without need."""
    needed = np.maximum(
        np.maximum(hospital.repertoires[exam], physician_table()[3][physician]), name_repertoires(patient)
    )
    return np.maximum(needed, unit_hash(patient, 7) < 0.5)
