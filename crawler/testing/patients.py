"""Who has studies in an archive, and where: an index made in one pass over its days. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa

from crawler.pacs.numerals import Ints
from crawler.testing import people
from crawler.testing.block import Block
from crawler.testing.numbers import chosen
from crawler.testing.rows import CHARSETS

_KEYS = 10_000_000
"""More than any day's key."""


@dataclass(frozen=True, eq=False)
class Patients:
    """Counts by patient's number, and the keys of the days on which each has studies."""

    studies: Ints
    series: Ints
    instances: Ints
    _numbers: Ints
    _keys: Ints
    """Patient and day, in order of patient: one pair for each patient's day."""

    @staticmethod
    def of(population: int, blocks: Iterable[Block]) -> Patients:
        """Count over blocks."""
        studies, series, instances = (np.zeros(population, np.int64) for _ in range(3))
        pairs: list[Ints] = [np.zeros(0, np.int64)]
        for block in blocks:
            pairs.append(np.unique(block.patient * _KEYS + block.key))
            np.add.at(studies, block.patient, 1)
            owners = block.patient[block.series_study]
            np.add.at(series, owners, 1)
            np.add.at(instances, owners, block.series_images)
        numbers, keys = np.divmod(np.sort(np.concatenate(pairs)), _KEYS)
        return Patients(studies, series, instances, numbers, keys)

    @property
    def numbers(self) -> Ints:
        """The patients who have studies."""
        return np.flatnonzero(self.studies)

    def keys_of(self, number: int) -> list[int]:
        """Give the days on which a patient has studies."""
        low, high = np.searchsorted(self._numbers, [number, number + 1])
        found: list[int] = self._keys[low:high].tolist()
        return found


_COLUMNS: dict[str, Callable[[Patients, Ints], pa.Array]] = {
    "SpecificCharacterSet": lambda _, who: chosen(CHARSETS, people.name_repertoires(who)),
    "PatientID": lambda _, who: people.patient_ids(who),
    "NumberOfPatientRelatedStudies": lambda patients, who: pa.array(patients.studies[who]),
    "NumberOfPatientRelatedSeries": lambda patients, who: pa.array(patients.series[who]),
    "NumberOfPatientRelatedInstances": lambda patients, who: pa.array(patients.instances[who]),
}


def _name(part: str, _: Patients, who: Ints) -> pa.Array:
    return people.name_columns(who)[part]


def _rest(keyword: str, _: Patients, who: Ints) -> pa.Array:
    return people.patient_column(who, keyword)


_COLUMNS |= {part: partial(_name, part) for part in ("PatientName", "patient_family_name", "patient_given_name")}
_COLUMNS |= {word: partial(_rest, word) for word in ("IssuerOfPatientID", "PatientBirthDate", "PatientSex")}


def patient_columns(patients: Patients, who: Ints, keywords: Sequence[str]) -> dict[str, pa.Array]:
    """Give these columns of some patients."""
    return {keyword: _COLUMNS[keyword](patients, who) for keyword in keywords}
