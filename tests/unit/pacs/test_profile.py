"""What was learned about a PACS, and what a person set, as what a sweep obeys."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from crawler.columns import CATALOGUE
from crawler.model import Finding, Level
from crawler.pacs.profile import Profile, attributes, profile_from


def finding(name: str, value: str, level: Level | None = Level.STUDY) -> Finding:
    return Finding("main", level, name, value, "seen", datetime(2024, 1, 1, tzinfo=UTC))


def test_without_findings_a_pacs_is_believed() -> None:
    assert profile_from([]) == Profile()
    assert all(attributes(Profile(), level) is None for level in Level)


@pytest.mark.parametrize(
    ("name", "value", "profile"),
    [
        ("cap", "500", Profile(cap=500)),
        ("cap", "0", Profile()),
        ("cap", "many", Profile()),
        ("unsupported_key.StudyDate", "ignored", Profile(unsupported=frozenset({"StudyDate"}))),
        ("unsupported_key.StudyDate", "matched", Profile()),
        ("dates_only", "yes", Profile(dates_only=True, unsupported=frozenset({"StudyTime"}))),
        ("one_query_per_association", "yes", Profile(one_query_per_association=True)),
        ("one_query_per_association", "no", Profile()),
        ("undated_in_ranges", "no", Profile(undated_in_ranges=False)),
        ("exclusive_ends", "yes", Profile(exclusive_ends=True)),
        ("study_modality", "yes", Profile(study_modality=True)),
        ("from another release", "yes", Profile()),
    ],
)
def test_a_finding_sets_its_field(name: str, value: str, profile: Profile) -> None:
    assert profile_from([finding(name, value)]) == profile


def test_the_cap_of_another_level_is_not_that_of_studies() -> None:
    assert profile_from([finding("cap", "100", Level.SERIES)]) == Profile()
    assert profile_from([finding("cap", "100", None)]).cap == 100


def test_a_setting_wins_over_a_finding() -> None:
    learned = [finding("cap", "500"), finding("unsupported_key.StudyTime", "ignored"), finding("exclusive_ends", "yes")]
    assert profile_from(learned, {"cap": 200, "unsupported": frozenset()}) == Profile(cap=200, exclusive_ends=True)
    assert profile_from(learned, {"cap": None, "exclusive_ends": False}) == Profile(
        unsupported=frozenset({"StudyTime"})
    )


def test_keys_are_left_out_and_added_in_the_order_of_tags() -> None:
    profile = Profile(omit=frozenset({"InstitutionName"}), extra=("StationName",), study_modality=True)
    asked = attributes(profile, Level.STUDY)
    assert asked is not None
    assert [key.tag for key in asked] == sorted(key.tag for key in asked)
    usual = {key.keyword for key in CATALOGUE[Level.STUDY]}
    assert {key.keyword for key in asked} == usual - {"InstitutionName"} | {"StationName", "Modality"}
    below = attributes(profile, Level.SERIES)
    assert below is not None
    assert {key.keyword for key in below} == {key.keyword for key in CATALOGUE[Level.SERIES]} - {"InstitutionName"}
    assert attributes(profile, Level.IMAGE) is None
