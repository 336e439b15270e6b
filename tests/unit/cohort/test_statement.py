"""The SQL of a cohort: what changes by itself is refused, and conditions are told apart where they can be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from crawler.cohort.statement import CHANGING, check_statement, steps_of
from crawler.errors import UserError
from crawler.lake.query import Lake, open_lake
from crawler.lake.writer import LakeWriter

ALLOWED = Path(__file__).parents[3] / "crawler" / "serve" / "sql" / "functions.txt"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    folder = tmp_path_factory.mktemp("statement")
    LakeWriter.open(folder).close()
    with open_lake(folder) as opened:
        yield opened


@pytest.mark.parametrize(
    "statement",
    [
        "from studies where StudyDate > current_date - 30",
        "from studies where StudyDate > today()",
        "from studies where age(StudyDate) > interval 3 years",
        "from studies where random() < 0.1",
        "select *, uuid() from studies",
        "from studies where StudyDate > (select CURRENT_TIMESTAMP::date)",
        "with a as (select now() as n) select StudyInstanceUID from studies, a",
        "from studies using sample 10%",
        "select * from studies tablesample 5 rows",
        "from studies where changed_at > ago(interval 3 days)",
    ],
)
def test_what_gives_something_else_each_time_is_refused(lake: Lake, statement: str) -> None:
    with pytest.raises(UserError, match="each time"):
        check_statement(lake, statement, {})


def test_every_allowed_function_that_duckdb_calls_changing_is_refused() -> None:
    with duckdb.connect() as connection:
        changing = {
            name
            for (name,) in connection.execute(
                "SELECT function_name FROM duckdb_functions() WHERE stability <> 'CONSISTENT'"
                " OR regexp_matches(macro_definition, '^.?(current|now|today|get_current)')"
            ).fetchall()
        }
    allowed = set(ALLOWED.read_text().split())
    assert changing & allowed <= CHANGING | {"error"}


@pytest.mark.parametrize("statement", ["from studies where age(StudyDate, PatientBirthDate) > interval 18 years"])
def test_what_is_the_same_each_time_is_not(lake: Lake, statement: str) -> None:
    check_statement(lake, statement, {})


def test_parameters_and_sql_must_fit(lake: Lake) -> None:
    check_statement(lake, "from studies where StudyDate > $since", {"since": "2024-01-01"})
    with pytest.raises(UserError, match=r"--param since=VALUE"):
        check_statement(lake, "from studies where StudyDate > $since", {})
    with pytest.raises(UserError, match=r"does not use --param until"):
        check_statement(lake, "from studies where StudyDate > $since", {"since": "1", "until": "2"})


def test_conditions_are_told_apart_with_the_parameters_that_each_needs(lake: Lake) -> None:
    steps = steps_of(
        lake,
        "select SeriesInstanceUID from studies s join series r using (pacs, StudyInstanceUID)"
        " where r.Modality = $kind and (StudyDate > $day and s.PatientSex = 'F') and (r.a or r.b) order by 1",
        {"kind": "CT", "day": "2024-01-01"},
    )
    assert [step.condition for step in steps] == [
        "",
        "r.Modality = $kind",
        "StudyDate > $day",
        "s.PatientSex = 'F'",
        "r.a OR r.b",
    ]
    assert [sorted(step.parameters) for step in steps] == [
        [],
        ["kind"],
        ["day", "kind"],
        ["day", "kind"],
        ["day", "kind"],
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "select a.StudyInstanceUID from studies a, series b where a.StudyInstanceUID = b.StudyInstanceUID",
        "select StudyInstanceUID from studies cross join (select 1) where true",
        "select StudyInstanceUID from studies where true union select StudyInstanceUID from series where false",
        "select StudyInstanceUID from series where true group by 1 having count(*) > 3",
        "select StudyInstanceUID from series where true limit 3",
        "select StudyInstanceUID from series where true qualify row_number() over (partition by pacs) = 1",
    ],
)
def test_elsewhere_they_are_not(lake: Lake, statement: str) -> None:
    assert steps_of(lake, statement, {}) == []
