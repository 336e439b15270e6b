"""What is made of a value is part of what users keep: these examples hold for every release and machine."""

from __future__ import annotations

import pickle

import pytest

from crawler.deid.pseudonyms import Pseudonyms

KEY = bytes(range(32))
MADE = Pseudonyms(KEY)


def test_pseudonyms_are_the_same_in_every_release() -> None:
    assert MADE.patient("4711") == "PNT6F9PCHF1CG"
    assert MADE.patient("山田^太郎") == "PK22Z8D3RXRQG"
    assert MADE.days("4711") == -122
    assert MADE.uid("1.2.840.113619.2.55.3") == "2.25.191547549295231138723024306093795451923"
    assert MADE.code("AccessionNumber", "A-2024-17") == "H1J4JAVF56TDNFSJ"
    assert MADE.keyed("4711") == "e098f803fa820e4b3b940797473893bc573e6a9d393f4e3bfc87560e74d9dcb3"
    assert MADE.fingerprint == "b4b5a95ff1b9c6f7"


def test_padding_of_an_id_means_nothing() -> None:
    assert MADE.patient(" 4711 ") == MADE.patient("4711\0") == MADE.patient("4711")
    assert MADE.days("4711 ") == MADE.days("4711")
    assert MADE.patient("04711") != MADE.patient("4711")


@pytest.mark.parametrize("nobody", ["", "  ", "\0"])
def test_patients_without_an_id_do_not_become_one(nobody: str) -> None:
    with pytest.raises(ValueError, match="StudyInstanceUID"):
        MADE.patient(nobody)
    with pytest.raises(ValueError, match="StudyInstanceUID"):
        MADE.days(nobody)


def test_uids_of_the_standard_stay() -> None:
    assert MADE.uid("1.2.840.10008.5.1.4.1.1.2") == "1.2.840.10008.5.1.4.1.1.2"
    assert MADE.uid("1.2.840.100081.5") != "1.2.840.100081.5"
    assert MADE.uid("") == ""


def test_empty_codes_stay_empty() -> None:
    assert MADE.code("StudyID", " ") == ""


def test_a_project_has_its_own_prefix() -> None:
    assert Pseudonyms(KEY, prefix="LUNG-").patient("4711") == "LUNG-" + MADE.patient("4711")[1:]


def test_the_key_is_never_shown_and_goes_to_other_processes() -> None:
    again = pickle.loads(pickle.dumps(MADE))
    assert again.patient("4711") == MADE.patient("4711")
    assert repr(MADE) == "Pseudonyms(prefix='P', longest_shift=365)"


@pytest.mark.parametrize("wrong", [{"key": b"short"}, {"prefix": "a b"}, {"prefix": "P" * 17}, {"longest_shift": 0}])
def test_what_makes_no_pseudonyms_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"has|shifted"):
        Pseudonyms(**({"key": KEY} | wrong))  # type: ignore[arg-type]  # some are wrong on purpose
