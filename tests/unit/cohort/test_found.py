"""What a definition names in a lake: entries that nothing fits, that too much fits, and series that nobody listed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from crawler.cohort.definition import Definition, Listed, checked_name, parameters_of
from crawler.cohort.found import CHOSEN, ambiguous, find, not_found
from crawler.cohort.totals import ORDER, Load, Totals, loads, open_ends, totals
from crawler.errors import LakeError, UserError
from crawler.lake.query import Lake, open_lake
from crawler.lake.writer import LakeWriter
from crawler.model import Level
from tests.property.lake.answers import answers

DAY = date(2024, 2, 29)


def study(uid: str, patient: str | None, accession: str | None, count: int = 7) -> dict[str, Any]:
    known = {"StudyInstanceUID": uid, "PatientID": patient, "AccessionNumber": accession, "StudyDate": DAY}
    return {**known, "NumberOfStudyRelatedInstances": count}


def series(uid: str, modality: str, count: int | None) -> dict[str, Any]:
    known = {"StudyInstanceUID": uid.rpartition(".")[0], "SeriesInstanceUID": uid, "Modality": modality}
    return {**known, "NumberOfSeriesRelatedInstances": count}


MAIN = [study("1.1", "007", "A1"), study("1.2", "007", "A1"), study("1.3", "8", "A3"), study("1.4", None, "A4")]
OTHER = [study("1.1", "007", "A1"), study("2.1", "9", "A3"), study("2.2", "10", "B1"), study("2.3", "11", "B1")]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    folder = tmp_path_factory.mktemp("found")
    with LakeWriter.open(folder) as writer:
        writer.stage(Level.STUDY, "main", "s", answers(Level.STUDY, MAIN))
        writer.stage(Level.STUDY, "other", "s", answers(Level.STUDY, OTHER))
        rows = [series("1.1.1", "CT", 5), series("1.1.2", "SR", None), series("1.2.1", "MR", None)]
        writer.stage(Level.SERIES, "main", "s", answers(Level.SERIES, rows))
        instances = [
            {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.2.1", "SOPInstanceUID": f"9.{n}"} for n in "123"
        ]
        writer.stage(Level.IMAGE, "main", "s", answers(Level.IMAGE, instances))
        writer.commit()
    with open_lake(folder) as opened:
        yield opened


def chosen(lake: Lake, definition: Definition) -> list[tuple[Any, ...]]:
    find(lake, definition)
    return lake.sql(
        f"SELECT pacs, coalesce(SeriesInstanceUID, StudyInstanceUID || '.*') FROM {CHOSEN} {ORDER}"
    ).fetchall()


def by(column: str, *values: str, **rules: Any) -> Definition:
    return Definition(listed=Listed.of((column,), ((value,) for value in values)), **rules)


def test_an_accession_number_of_two_patients_or_pacs_is_ambiguous(lake: Lake) -> None:
    definition = by("AccessionNumber", "A1", "A3", "A4", "B1", "a4", "nowhere")
    assert chosen(lake, definition) == [("main", "1.4.*")]
    assert ambiguous(lake) == ["A1", "A3", "B1"]
    assert not_found(lake) == ["a4", "nowhere"]


def test_what_is_ambiguous_is_taken_on_request_or_told_apart_by_its_pacs(lake: Lake) -> None:
    assert len(chosen(lake, by("AccessionNumber", "B1", take_ambiguous=True))) == 2
    assert chosen(lake, by("AccessionNumber", "A1", pacs="main")) == [
        ("main", "1.1.1"),
        ("main", "1.1.2"),
        ("main", "1.2.1"),
    ]
    assert ambiguous(lake) == []


def test_of_one_pacs_alone_is_meant_whatever_the_definition_names(lake: Lake) -> None:
    assert chosen(lake, Definition("select pacs, StudyInstanceUID from studies", pacs="other")) == [
        ("other", f"{uid}.*") for uid in ("1.1", "2.1", "2.2", "2.3")
    ]
    assert not_found(lake) == []
    listed = Listed.of(("pacs", "PatientID"), [("main", "8"), ("other", "9"), ("", "10")])
    assert chosen(lake, Definition(listed=listed, pacs="other")) == [("other", "2.1.*"), ("other", "2.2.*")]
    assert not_found(lake) == ["main / 8"]


def test_a_line_with_several_values_must_fit_in_all(lake: Lake) -> None:
    listed = Listed.of(("PatientID", "AccessionNumber"), [("9", "A3"), ("8", "A1"), ("", "A4")])
    assert chosen(lake, Definition(listed=listed)) == [("main", "1.4.*"), ("other", "2.1.*")]
    assert not_found(lake) == ["8 / A1"]


def test_leading_zeros_count(lake: Lake) -> None:
    assert chosen(lake, by("PatientID", "7", "08")) == []
    assert not_found(lake) == ["08", "7"]


def test_series_are_found_by_their_uid_with_the_patient_of_their_study(lake: Lake) -> None:
    listed = Listed.of(("SeriesInstanceUID", "PatientID"), [("1.1.1", "007"), ("1.2.1", "8")])
    assert chosen(lake, Definition(listed=listed)) == [("main", "1.1.1")]


def test_instances_are_counted_by_the_pacs_else_by_those_that_are_listed(lake: Lake) -> None:
    find(lake, Definition("select StudyInstanceUID, pacs from studies where pacs = 'main'"))
    assert totals(lake.connection, CHOSEN) == Totals(3, 4, 3, 5 + 3 + 7 + 7)
    assert open_ends(lake.connection, CHOSEN) == (2, 1)
    assert loads(lake.connection, CHOSEN) == [
        Load("main", "", 2, 14),
        Load("main", "CT", 1, 5),
        Load("main", "MR", 1, 3),
        Load("main", "SR", 1, 0),
    ]


def test_sql_gives_studies_or_series_in_any_spelling_and_nulls_name_nothing(lake: Lake) -> None:
    statement = "select seriesinstanceuid from studies left join series using (pacs, StudyInstanceUID) -- all"
    assert chosen(lake, Definition(statement)) == [("main", "1.1.1"), ("main", "1.1.2"), ("main", "1.2.1")]
    assert chosen(lake, Definition("select '1.9' as StudyInstanceUID")) == []
    assert not_found(lake) == ["1.9"]


def test_values_of_parameters_are_never_sql(lake: Lake) -> None:
    statement = "from studies where PatientID = $who and StudyDate = $day"
    given = {"who": "8' or '1'='1", "day": "2024-02-29"}
    assert chosen(lake, Definition(statement, given)) == []
    assert chosen(lake, Definition(statement, {**given, "who": "8"})) == [("main", "1.3.*")]


def test_sql_that_names_nothing_or_fails_is_an_error(lake: Lake) -> None:
    with pytest.raises(UserError, match="must give StudyInstanceUID or SeriesInstanceUID"):
        find(lake, Definition("select pacs from studies"))
    with pytest.raises(LakeError, match="Conversion Error") as caught:
        find(lake, Definition("select StudyInstanceUID from studies where (PatientID || 'x')::int = 1"))
    assert "007" not in str(caught.value)


def test_a_definition_comes_back_from_its_text_and_does_not_depend_on_the_order_of_lines() -> None:
    listed = Listed.of(("PatientID",), [("2",), ("1",), ("2",)])
    definition = Definition(listed=listed, pacs="main")
    assert (
        definition.as_text()
        == '{"columns": ["PatientID"], "list": [["1"], ["2"]], "pacs": "main", "take_ambiguous": false}'
    )
    assert Definition.of(definition.as_text()) == definition
    asked = Definition("select 1", {"a": "ä"}, take_ambiguous=True)
    assert Definition.of(asked.as_text()) == asked


@pytest.mark.parametrize("name", ["", "a b", "../x", ".a", "ä", "a" * 65, "a;b"])
def test_names_are_plain(name: str) -> None:
    with pytest.raises(UserError, match="no name for a cohort"):
        checked_name(name)


def test_parameters_are_names_with_values() -> None:
    assert parameters_of(["a=1=2", "b="]) == {"a": "1=2", "b": ""}
    for wrong in (["a"], ["1=2"], ["a=1", "a=2"]):
        with pytest.raises(UserError, match="--param"):
            parameters_of(wrong)
