"""The patients of a synthetic archive. A patient is a number; everything about the patient follows from it. Pure."""

from __future__ import annotations

from datetime import date
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crawler.pacs.numerals import Ints, digits, joined
from crawler.testing.numbers import chosen, unit_hash, words
from crawler.testing.vocabulary import FAMILY_NAMES, GIVEN_NAMES_F, GIVEN_NAMES_M, PHYSICIANS

ASCII, LATIN_1, UTF_8 = 0, 1, 2
"""How much of a character set a text needs: the default repertoire, ISO_IR 100, ISO_IR 192."""

_ISSUERS = words(["", "KIS", "SEASIDE"])
_SEXES = words(["M", "F", "O"])
_ID_SPACE = 10**8
_ID_FACTOR = 47_382_913
"""Coprime with the space, so that patient numbers and PatientIDs correspond one to one and IDs look unordered."""
_ID_FACTOR_BACK = pow(_ID_FACTOR, -1, _ID_SPACE)
_AGES = ([0.0, 0.03, 0.1, 0.2, 0.45, 0.8, 0.95, 1.0], [0, 1, 16, 30, 52, 74, 86, 101])


def repertoire(text: str) -> int:
    """Say which character set a text needs."""
    if text.isascii():
        return ASCII
    return LATIN_1 if all(ord(character) < 256 for character in text) else UTF_8


def repertoires(texts: tuple[str, ...]) -> Ints:
    """Say for each word which character set it needs."""
    return np.array([repertoire(word) for word in texts], np.int64)


@cache
def _name_tables() -> tuple[pa.Array, pa.Array, Ints, Ints]:
    """Family and given names with the ones that need more than ASCII last, so that they stay rare."""
    given = GIVEN_NAMES_M + GIVEN_NAMES_F
    return words(FAMILY_NAMES), words(given), repertoires(FAMILY_NAMES), repertoires(given)


def patient_sex(numbers: Ints) -> Ints:
    """Give 0 for M and 1 for F by the number's parity, so that an exam can ask for one; 2 for O is rare."""
    return np.where(unit_hash(numbers, 5) < 0.004, 2, numbers & 1)


def _family(numbers: Ints) -> Ints:
    return (unit_hash(numbers, 1) ** 1.35 * len(FAMILY_NAMES)).astype(np.int64)


def _given(numbers: Ints) -> Ints:
    draws, women = unit_hash(numbers, 2) ** 1.2, (numbers & 1) == 1
    men = (draws * len(GIVEN_NAMES_M)).astype(np.int64)
    return np.where(women, len(GIVEN_NAMES_M) + (draws * len(GIVEN_NAMES_F)).astype(np.int64), men)


def name_repertoires(numbers: Ints) -> Ints:
    """Say which character set each patient's name needs."""
    _, _, family, given = _name_tables()
    return np.maximum(family[_family(numbers)], given[_given(numbers)])


def name_columns(numbers: Ints) -> dict[str, pa.Array]:
    """Give PatientName and its parts."""
    families, givens, _, _ = _name_tables()
    family, given = chosen(families, _family(numbers)), chosen(givens, _given(numbers))
    return {
        "PatientName": joined(family, "^", given),
        "patient_family_name": family,
        "patient_given_name": given,
    }


def patient_ids(numbers: Ints) -> pa.Array:
    """Give each patient's PatientID, eight digits."""
    return digits((numbers * _ID_FACTOR + 12_345_678) % _ID_SPACE, 8)


def patient_number(patient_id: str) -> int | None:
    """Say whose PatientID this is, if it has the form of one."""
    if len(patient_id) != 8 or not (patient_id.isascii() and patient_id.isdigit()):
        return None
    return (int(patient_id) - 12_345_678) * _ID_FACTOR_BACK % _ID_SPACE


def patient_column(numbers: Ints, keyword: str) -> pa.Array:
    """Give one of the remaining patient attributes: issuer, birth date (1 % unknown) or sex."""
    if keyword == "IssuerOfPatientID":
        return chosen(_ISSUERS, (unit_hash(numbers, 3) ** 2 * 3).astype(np.int64))
    if keyword == "PatientSex":
        return chosen(_SEXES, patient_sex(numbers))
    if keyword == "PatientBirthDate":
        return pa.array(birth_days(numbers), pa.date32(), mask=unit_hash(numbers, 6) < 0.01)
    raise KeyError(keyword)


def birth_days(numbers: Ints) -> npt.NDArray[np.int32]:
    """Give days of birth as days since 1970: children are few, most are between 50 and 75."""
    age_days = np.interp(unit_hash(numbers, 4), *_AGES) * 365.25
    return (_EPOCH_2022 - age_days).astype(np.int32)


_EPOCH_2022 = date(2022, 1, 1).toordinal() - date(1970, 1, 1).toordinal()


@cache
def physician_table() -> tuple[pa.Array, pa.Array, pa.Array, Ints]:
    """Give referring physicians: names, family names, given names, and the character set each needs."""
    parts = [name.split("^") for name in PHYSICIANS]
    names, families, givens = words(PHYSICIANS), words([p[0] for p in parts]), words([p[1] for p in parts])
    return names, families, givens, repertoires(PHYSICIANS)
