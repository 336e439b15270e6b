"""Patients that tests plant, and finding them in a text where they must not be. Pure.

Found are those of the simulated PACS, by what all of them look like, and this one, for tests that make an answer or an
object themselves.
"""

from __future__ import annotations

import re

from crawler.testing.people import patient_number
from crawler.testing.vocabulary import FAMILY_NAMES, PHYSICIANS

NAME, PATIENT_ID, BIRTH_DATE, ACCESSION = "Plantedname^Anna", "PLANTED4711", "19330217", "PLANTED0815"

_MOST_PATIENTS = 100_000
"""More than any archive of a test has: of numbers of eight digits one in a thousand is taken for one of theirs."""

_FAMILIES = "|".join(sorted({*FAMILY_NAMES, *(name.partition("^")[0] for name in PHYSICIANS)}))
_NAMES = re.compile(rf"\b(?:{_FAMILIES})\b|[^\s\"'^]+\^[^\s\"'^]+")
_NUMBERS = re.compile(r"(?i)planted[a-z0-9]*|\bA[0-9]{12}\b")
_BIRTH_DATES = re.compile(r"\b19(?:[2-6][0-9]|[89][0-9]|7[1-9])-?(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12][0-9]|3[01])\b")
_PATIENT_IDS = re.compile(r"\b[0-9]{8}\b")


def named_in(text: str) -> list[str]:
    """Give the names, IDs, birth dates and accession numbers of patients in a text."""
    found = [word for pattern in (_NAMES, _NUMBERS, _BIRTH_DATES) for word in pattern.findall(text)]
    return found + [word for word in _PATIENT_IDS.findall(text) if (patient_number(word) or 0) < _MOST_PATIENTS]
