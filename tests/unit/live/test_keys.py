"""What a statement wants of a PACS: keys that bring at least its rows, and nothing where that is not sure."""

from __future__ import annotations

from datetime import date

import pytest

from crawler.columns import schema
from crawler.errors import UserError
from crawler.live.question import TABLES, Question, read
from crawler.live.requests import Below, below, study_requests
from crawler.model import HIERARCHY, Level

COLUMNS = {table: ("pacs", *schema(level).names) for table, level in zip(TABLES, HIERARCHY, strict=True)}
EVERYTHING: list[dict[str, str]] = [{}]


def question(statement: str) -> Question:
    return read(statement, COLUMNS, date(2024, 5, 5))


def asked(statement: str) -> list[dict[str, str]]:
    return [request.keys for request in study_requests(question(statement), frozenset())]


@pytest.mark.parametrize(
    ("condition", "keys"),
    [
        ("PatientID = '4711'", {"PatientID": "4711"}),
        ("'4711' = patientid", {"PatientID": "4711"}),
        ("PatientID like '47%'", {"PatientID": "47*"}),
        ("PatientID like '4_1%'", {"PatientID": "4*1*"}),
        ("PatientID like '%11'", {"PatientID": "*11*"}),
        ("starts_with(PatientID, '47')", {"PatientID": "47*"}),
        ("prefix(PatientID, '47')", {"PatientID": "47*"}),
        ("contains(PatientID, '71')", {"PatientID": "*71*"}),
        ("AccessionNumber ilike 'A24-7%'", {"AccessionNumber": "*24-7*"}),
        ("PatientID = 'A*7'", {"PatientID": "A*7*"}),
        ("PatientName = 'Doe^Jane'", {"PatientName": "Doe^Jane*"}),
        ("PatientName = 'O''Brien^Pat'", {"PatientName": "O'Brien^Pat*"}),
        ("PatientName = 'Müller^Jörg'", {"PatientName": "M*ller^J*rg*"}),
        ("PatientSex = 'F'", {"PatientSex": "F"}),
        ("PatientBirthDate = '1970-12-31'", {"PatientBirthDate": "19701231"}),
        ("StudyDate = '2024-02-29'", {"StudyDate": "20240229"}),
        ("StudyDate between '2024-01-01' and date '2024-01-31'", {"StudyDate": "20231231-20240201"}),
        ("StudyDate >= '2024-01-02' and StudyDate < '2024-02-01'", {"StudyDate": "20240101-20240201"}),
        ("StudyDate <= timestamp '2024-02-01 10:00:00'", {"StudyDate": "-20240202"}),
        ("StudyDate > current_date - 7", {"StudyDate": "20240426-"}),
        ("StudyDate > today() - interval 1 month", {"StudyDate": "20240402-"}),
        ("year(StudyDate) = 2024", {"StudyDate": "20231231-20250101"}),
        ("StudyTime between '09:00:00' and '10:00:00'", {"StudyTime": "085959-100002"}),
        ("StudyTime >= time '00:00:00' and PatientID = '1'", {"PatientID": "1"}),
        ("'CT' = any(ModalitiesInStudy)", {"ModalitiesInStudy": "CT"}),
        ("list_contains(ModalitiesInStudy, 'CT')", {"ModalitiesInStudy": "CT"}),
        ("PatientID = '1' and lower(PatientName) = 'x'", {"PatientID": "1"}),
        ("PatientID like '1%' and PatientID = '12'", {"PatientID": "12"}),
        ("(StudyDate = '2024-01-01' or StudyDate = '2024-01-03')", {"StudyDate": "20231231-20240104"}),
    ],
)
def test_a_condition_becomes_a_key(condition: str, keys: dict[str, str]) -> None:
    assert asked(f"select * from studies where {condition}") == [keys]


@pytest.mark.parametrize(
    "condition",
    [
        "PatientID = ''",
        "PatientID = '*'",
        "PatientID = 4711",
        "PatientID <> '1'",
        "PatientID not in ('1', '2')",
        "PatientID not like '1%'",
        "not (PatientID = '1')",
        "PatientID is null",
        "PatientID = '1' or PatientName = 'Doe^Jane'",
        "PatientID = '1' or true",
        "PatientName ilike 'doe%'",
        "PatientID like '1$%' escape '$'",
        "PatientSex = 'f'",
        "upper(PatientID) = 'X'",
        "StudyInstanceUID like '1.2.%'",
        "StudyDate::varchar like '2024%'",
        "StudyDate <> '2024-01-01'",
        "StudyDate not between '2024-01-01' and '2024-02-01'",
        "PatientBirthDate > '1970-01-01'",
        "NumberOfStudyRelatedSeries > 5",
        "ModalitiesInStudy = ['CT']",
        "not list_contains(ModalitiesInStudy, 'CT')",
        "PatientID in (select PatientID from studies where PatientID = '1')",
    ],
)
def test_what_is_not_sure_asks_for_everything(condition: str) -> None:
    assert asked(f"select * from studies where {condition}") == EVERYTHING


@pytest.mark.parametrize(
    "statement",
    [
        "select * from studies s left join patients p on s.PatientID = '1'",
        "select * from studies full join series using (StudyInstanceUID)",
        "with studies as (select * from studies) select * from studies where PatientID = '1'",
        "select * from studies s(a, b) where a = '1'",
        "select upper(PatientID) as PatientID from studies where PatientID = '1'",
        "select * from (select * from studies) where PatientID = '1'",
        "select * from studies s asof join studies t on s.PatientID = t.PatientID and s.StudyDate >= t.StudyDate",
        "select * from studies where PatientID = '1' union all select * from studies",
        "select * from series where Modality = 'CT'",
        "select * from series r left join studies s using (StudyInstanceUID) where r.Modality = 'CT'",
    ],
)
def test_a_table_that_is_not_narrowed_for_sure_is_read_whole(statement: str) -> None:
    assert asked(statement) == EVERYTHING


def test_several_values_are_several_queries() -> None:
    assert asked("from studies where PatientID in ('1', '2')") == [{"PatientID": "1"}, {"PatientID": "2"}]
    assert asked("from studies where PatientID = '1' or PatientID = '2'") == [{"PatientID": "1"}, {"PatientID": "2"}]
    union = "select * from studies where PatientID = '1' union select * from studies where StudyID = '7'"
    assert asked(union) == [{"PatientID": "1"}, {"StudyID": "7"}]


def test_studies_are_asked_for_by_lists_where_these_work() -> None:
    found = question("from studies where StudyInstanceUID in ('1.2', '1.3') and PatientID = '1'")
    [request] = study_requests(found, frozenset(), by_lists=True)
    assert request.keys == {"PatientID": "1", "StudyInstanceUID": "1.2\\1.3"}
    assert [one.keys["StudyInstanceUID"] for one in request.listed] == ["1.2", "1.3"]
    assert [one.listed for one in study_requests(found, frozenset())] == [(), ()]


def test_what_cannot_be_is_not_asked_for() -> None:
    assert asked("from studies where PatientID = '1' and PatientID = '2'") == []
    assert asked("from studies where StudyDate > '2024-02-01' and StudyDate < '2024-01-01'") == []
    assert asked("select 1") == []


def test_keys_that_are_of_no_use_are_left_out() -> None:
    found = study_requests(question("from studies where PatientID = '1' and StudyID = '2'"), frozenset({"PatientID"}))
    assert [request.keys for request in found] == [{"StudyID": "2"}]


def test_a_join_asks_below_what_meets_its_conditions() -> None:
    found = question(
        """select * from studies s join series r using (StudyInstanceUID) join instances i using (SeriesInstanceUID)
        where s.PatientID = '1' and s.StudyDescription ilike '%lung%' and r.Modality = 'CT'"""
    )
    studies = "(PatientID = '1') AND (StudyDescription ILIKE '%lung%')"
    assert [request.keys for request in study_requests(found, frozenset())] == [{"PatientID": "1"}]
    assert set(below(found, Level.SERIES)) == {Below(studies), Below(studies, "(Modality = 'CT')")}
    assert below(found, Level.IMAGE) == [Below(studies, "(Modality = 'CT')")]


def test_series_of_a_study_by_name_need_its_study_alone() -> None:
    found = question("select * from series where StudyInstanceUID = '1.2.3'")
    assert [request.keys for request in study_requests(found, frozenset())] == [{"StudyInstanceUID": "1.2.3"}]
    assert below(found, Level.SERIES) == [Below("(StudyInstanceUID IN ('1.2.3'))")]


def test_a_key_holds_on_both_sides_of_a_join() -> None:
    joined = "select * from patients p join studies s using (PatientID) where p.PatientID = '1'"
    assert asked(joined) == [{"PatientID": "1"}]
    assert asked(joined.replace("join studies", "left join studies")) == EVERYTHING


@pytest.mark.parametrize(
    "statement",
    ["select 1; select 2", "delete from studies", "pivot studies on Modality", "select from where ((", "", "set x = 1"],
)
def test_what_is_no_select_is_refused(statement: str) -> None:
    with pytest.raises(UserError):
        question(statement)


def test_no_statement_is_logged(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    for statement in ("explain select 'Doe^Jane'", "select 'Doe^Jane' from from ("):
        with pytest.raises(UserError) as refused:
            question(statement)
        assert "Doe" not in str(refused.value)
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


def test_a_table_behind_a_function_is_refused() -> None:
    with pytest.raises(UserError, match="query_table"):
        question("select * from query_table('studies')")
