"""A recipe says what is wrong with it in one sentence; those that come with pacslake are right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crawler.deid.recipe import Recipe, described, read_recipe, shipped
from crawler.errors import UserError

ROOT = Path(__file__).resolve().parents[3]
HEAD = 'name = "mine"\nversion = "1"\n'


def recipe(path: Path, text: str) -> Recipe:
    file = path / "mine.toml"
    file.write_text(HEAD + text)
    return read_recipe(str(file))


def test_recipes_of_pacslake_are_found_by_name() -> None:
    assert set(shipped()) == {"basic", "research"}
    for name in shipped():
        assert read_recipe(name).name == name
    assert not any(on for _, on in read_recipe("basic").options)
    assert all(on for _, on in read_recipe("research").options)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "[options]\nretain_dates = true",
            "options.retain_dates is not a known key; did you mean 'retain_modified_dates'?",
        ),
        ("[options]\nclean_descriptors = 1", "options.clean_descriptors must be true or false, not 1"),
        ('[numbers]\nstudy_id = "keep"', "numbers.study_id must be 'code' or 'empty', not 'keep'"),
        ('profile = "2023b"', "profile must be '2026c', not '2023b'"),
        (
            '[attributes]\nkeep = ["StudyDescripton"]',
            "attributes.keep[0] must be a keyword or a tag of the DICOM dictionary (did you mean "
            "'StudyDescription'?), not 'StudyDescripton'",
        ),
        (
            '[attributes]\nremove = ["Modality", "(0009,1001)"]',
            "attributes.remove[1] must not be private: options.retain_safe_private keeps those that are listed as "
            "safe, not '(0009,1001)'",
        ),
        (
            '[attributes]\nkeep = ["StudyDate"]',
            "attributes.keep[0] must not be a date: options.retain_modified_dates keeps them, shifted, not 'StudyDate'",
        ),
        ('[attributes]\nkeep = ["OperatorsName"]', "attributes.keep[0] must not name a person, not 'OperatorsName'"),
        (
            '[attributes]\nkeep = ["FrameOfReferenceUID"]',
            "attributes.keep[0] must not be a UID, which is always replaced, not 'FrameOfReferenceUID'",
        ),
        (
            '[attributes]\nempty = ["PatientID"]',
            "attributes.empty[0] must be an attribute that pacslake does not set itself, not 'PatientID'",
        ),
        (
            '[attributes]\nkeep = ["StudyDescription"]\nempty = ["(0008,1030)"]',
            "attributes must not name StudyDescription twice",
        ),
        (
            '[attributes.replace]\nStudyDescription = "Müller"',
            "attributes.replace has a value for StudyDescription that must be text in quotes: "
            "ASCII in one line, without a backslash",
        ),
        (
            '[attributes.replace]\nPixelData = "0"',
            "attributes.replace has a value for PixelData that cannot be: "
            "only texts and numbers in text can be replaced, and its VR is OB",
        ),
        ('[attributes.replace]\nBodyPart = "A"', "attributes.replace has 'BodyPart', which must be a keyword or a tag"),
        ('[attributes.replace]\nModality = "ct"', "attributes.replace has a value for Modality that is none of VR CS"),
        ("[pixels]\nallowed = 1", "pixels.allowed is not a known key; did you mean 'allow'?"),
    ],
)
def test_what_is_wrong_is_one_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        recipe(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'mine.toml'}: {sentence}")


def test_the_recipe_of_the_documentation_is_one(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "deidentification.md").read_text()
    file = tmp_path / "ours.toml"
    file.write_text(re.findall(r"```toml\n(.*?)```", text, re.DOTALL)[0])
    assert read_recipe(str(file)).kept_against_profile == ("InstitutionName", "SeriesDescription")


def test_a_recipe_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(UserError, match=r"there is no recipe 'reserch'.*; did you mean 'research'\?"):
        read_recipe("reserch")


def test_what_is_kept_against_the_profile_is_on_record(tmp_path: Path) -> None:
    text = '[attributes]\nkeep = ["StudyDescription", "Modality"]\nreplace = {InstitutionName = "Site A"}'
    kept = recipe(tmp_path, text)
    assert kept.kept_against_profile == ("InstitutionName", "StudyDescription")
    assert described(kept)["kept_against_profile"] == ["InstitutionName", "StudyDescription"]


def test_a_digest_tells_recipes_apart_by_what_they_say(tmp_path: Path) -> None:
    plain = recipe(tmp_path, "")
    assert recipe(tmp_path, "# a comment\n[options]").digest == plain.digest
    assert recipe(tmp_path, "[options]\nclean_descriptors = true").digest != plain.digest
    several = [recipe(tmp_path, f"[pixels]\ninclude = {kinds}") for kinds in (["video", "other"], ["other", "video"])]
    assert several[0].digest == several[1].digest
