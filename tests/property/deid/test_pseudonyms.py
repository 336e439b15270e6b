"""Whatever the values: pseudonyms agree with themselves, differ from others, depend on the key and are valid DICOM."""

from __future__ import annotations

import re
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID

from crawler.deid.pseudonyms import ALPHABET, Pseudonyms

KEYS = st.binary(min_size=32, max_size=32)
IDS = st.text(min_size=1, max_size=64).filter(lambda text: text.strip(" \0"))
UIDS = st.lists(st.integers(0, 10**9), min_size=2, max_size=6).map(lambda parts: "1.2." + ".".join(map(str, parts)))
DAYS = st.dates(date(1900, 1, 1), date(2100, 1, 1))


@given(KEYS, IDS, UIDS)
def test_two_machines_with_one_key_agree(key: bytes, patient: str, uid: str) -> None:
    one, other = Pseudonyms(key), Pseudonyms(key)
    assert one.patient(patient) == other.patient(patient)
    assert one.days(patient) == other.days(patient)
    assert one.uid(uid) == other.uid(uid) == one.uid(uid)
    assert one.code("AccessionNumber", patient) == other.code("AccessionNumber", patient)
    assert one.fingerprint == other.fingerprint


@given(KEYS, KEYS, IDS, UIDS)
def test_another_key_tells_nothing(key: bytes, second: bytes, patient: str, uid: str) -> None:
    one, other = Pseudonyms(key), Pseudonyms(second)
    same = key == second
    assert (one.patient(patient) == other.patient(patient)) is same
    assert (one.uid(uid) == other.uid(uid)) is same
    assert (one.keyed(patient) == other.keyed(patient)) is same
    assert (one.fingerprint == other.fingerprint) is same


@given(KEYS, IDS, IDS)
def test_other_values_and_other_kinds_get_other_codes(key: bytes, first: str, second: str) -> None:
    made = Pseudonyms(key)
    same = first.strip(" \0") == second.strip(" \0")
    assert (made.patient(first) == made.patient(second)) is same
    assert (made.code("StudyID", first) == made.code("StudyID", second)) is same
    assert made.code("StudyID", first) != made.code("AccessionNumber", first)
    assert made.patient(first)[1:] != made.code("patient", first)[:12]


@given(KEYS, IDS, UIDS, st.integers(1, 3650))
def test_what_is_made_is_valid(key: bytes, patient: str, uid: str, longest: int) -> None:
    made = Pseudonyms(key, longest_shift=longest)
    assert re.fullmatch(f"P[{ALPHABET}]{{12}}", made.patient(patient))
    assert re.fullmatch(f"[{ALPHABET}]{{16}}", made.code("StudyID", patient))
    assert UID(made.uid(uid)).is_valid
    assert re.fullmatch(r"2\.25\.[1-9][0-9]{0,38}", made.uid(uid))
    assert -longest <= made.days(patient) <= -1


@given(KEYS, IDS, DAYS, DAYS)
def test_intervals_are_kept(key: bytes, patient: str, first: date, second: date) -> None:
    shift = timedelta(days=Pseudonyms(key).days(patient))
    assert (second + shift) - (first + shift) == second - first


def test_shifts_are_spread_over_the_year() -> None:
    made = Pseudonyms(bytes(32))
    drawn = {made.days(str(number)) for number in range(10_000)}
    assert drawn == set(range(-365, 0))


def test_a_hundred_thousand_patients_have_as_many_codes() -> None:
    made = Pseudonyms(bytes(32))
    assert len({made.patient(str(number)) for number in range(100_000)}) == 100_000


def test_forgotten_uids_are_made_anew_alike() -> None:
    made = Pseudonyms(bytes(32))
    before = made.uid("1.2.3")
    for number in range(100_001):
        made.uid(f"1.2.{number}.4")
    assert made.uid("1.2.3") == before
