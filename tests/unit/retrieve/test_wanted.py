"""The identifier of a C-MOVE or C-GET: the keys of the level and of those above, and nothing that could match more."""

from __future__ import annotations

import pytest

from crawler.errors import RefusedError
from crawler.model import Level, Model
from crawler.retrieve.wanted import Wanted

ABOVE = {"PatientID": "P1", "StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.2.3"}


@pytest.mark.parametrize(
    ("model", "level", "tags"),
    [
        (Model.STUDY_ROOT, Level.STUDY, [0x00080052, 0x0020000D]),
        (Model.STUDY_ROOT, Level.SERIES, [0x00080052, 0x0020000D, 0x0020000E]),
        (Model.STUDY_ROOT, Level.IMAGE, [0x00080018, 0x00080052, 0x0020000D, 0x0020000E]),
        (Model.PATIENT_ROOT, Level.PATIENT, [0x00080052, 0x00100020]),
        (Model.PATIENT_ROOT, Level.IMAGE, [0x00080018, 0x00080052, 0x00100020, 0x0020000D, 0x0020000E]),
    ],
)
def test_a_request_names_its_level_and_those_above(model: Model, level: Level, tags: list[int]) -> None:
    assert [tag for tag, _, _ in sorted(Wanted(model, level, ("1.7",), ABOVE).elements())] == tags


def test_lists_of_uids_are_one_value_each_and_come_in_parts() -> None:
    wanted = Wanted(Model.STUDY_ROOT, Level.IMAGE, tuple(f"1.{number}" for number in range(250)), ABOVE)
    parts = list(wanted.parts())
    assert [len(part.keys) for part in parts] == [100, 100, 50]
    assert (0x00080018, "UI", b"\\".join(b"1.%d" % number for number in range(200, 250))) in parts[2].elements()


def test_a_patient_id_beyond_ascii_says_its_character_set() -> None:
    assert (0x00080005, "CS", b"ISO_IR 192") in Wanted(Model.PATIENT_ROOT, Level.PATIENT, ("Ä7",)).elements()


@pytest.mark.parametrize("uid", ["1.2*", "1.?", "1.2\\1.3", "", "1" * 65, "1.2\n", "1.2 3", "ä"])
def test_a_uid_that_may_match_several_is_not_asked_for(uid: str) -> None:
    with pytest.raises(RefusedError, match="SeriesInstanceUID") as refused:
        Wanted(Model.STUDY_ROOT, Level.SERIES, (uid,), ABOVE).elements()
    assert not uid or uid not in str(refused.value)


def test_what_no_request_can_hold_is_a_mistake_of_the_caller() -> None:
    for wanted in (
        Wanted(Model.STUDY_ROOT, Level.SERIES, ("1.2.3",)),
        Wanted(Model.PATIENT_ROOT, Level.PATIENT, ("P1", "P2")),
        Wanted(Model.STUDY_ROOT, Level.STUDY, ("1" * 64,) * 1100),
    ):
        with pytest.raises(ValueError, match=r"level needs|too many"):
            wanted.elements()
