"""Keys as SQL conditions: what the simulated PACS has no word for."""

from __future__ import annotations

import duckdb
import pytest

from crawler.columns import Attribute, by_keyword
from crawler.errors import UserError
from crawler.serve.matching import combined, condition, conditions

KEYS = by_keyword()
NAME, MOMENT = KEYS["PatientName"], KEYS["AcquisitionDateTime"]


def _matches(key: Attribute, stored: str, asked: str) -> bool:
    found = condition(key, asked, "CAST(stored AS TIMESTAMP)" if key.vr == "DT" else "stored")
    assert found is not None
    with duckdb.connect() as connection:
        row = connection.execute(
            f"SELECT {found.sql} FROM (SELECT ? AS stored)", [*found.parameters, stored]
        ).fetchone()
    return row == (True,)


@pytest.mark.parametrize(
    ("stored", "asked", "matches"),
    [
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "yamada^tarou", True),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "山田*", True),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada^Tarou=山田^太郎=やまだ^たろう", True),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "yamada", False),
        ("Doe^Jane", "Doe^Jane^^", True),
        ("Doe^Jane^^", "DOE^JANE", True),
        ("Doe^Jane", "Doe", False),
        ("Doe^Jane", "?oe^*", True),
    ],
)
def test_names_match_by_their_groups(stored: str, asked: str, matches: bool) -> None:
    assert _matches(NAME, stored, asked) is matches


@pytest.mark.parametrize(
    ("asked", "matches"),
    [
        ("2024", True),
        ("202402", True),
        ("202403", False),
        ("20240229-", True),
        ("-20240228", False),
        ("-202402", True),
        ("2024022910-2024022911", True),
        ("20240229103000.5", True),
        ("20240229103000.4", False),
        ("20240229100000-0500-20240229110000-0500", True),
    ],
)
def test_moments_match_by_what_is_given_of_them(asked: str, matches: bool) -> None:
    assert _matches(MOMENT, "2024-02-29 10:30:00.5", asked) is matches


@pytest.mark.parametrize(
    ("keyword", "asked"),
    [
        ("StudyDate", "2024"),
        ("StudyDate", "-"),
        ("StudyTime", "25"),
        ("AcquisitionDateTime", "20241301"),
        ("AcquisitionDateTime", "٢٠٢٤"),
        ("SeriesNumber", "1_0"),
        ("SeriesNumber", "9" * 30),
        ("SliceThickness", "nan"),
        ("SliceThickness", "1e999"),
    ],
)
def test_a_wrong_value_is_refused_without_being_repeated(keyword: str, asked: str) -> None:
    with pytest.raises(UserError) as refused:
        condition(KEYS[keyword], asked)
    assert asked not in str(refused.value).replace(" - ", "").replace("20240101-", "")


def test_the_last_year_has_its_last_day() -> None:
    assert _matches(MOMENT, "9999-12-31 23:59:59", "9999")


def test_days_and_times_together_are_one_range() -> None:
    found = combined(KEYS["StudyDate"], KEYS["StudyTime"], "20240101-20240102", "2200-0600")
    rows = [("2024-01-01", "23:00"), ("2024-01-02", "06:00:59"), ("2024-01-02", "07:00"), ("2024-01-01", "21:59")]
    told = ", ".join(f"(DATE '{day}', TIME '{time}')" for day, time in rows)
    with duckdb.connect() as connection:
        table = f'(VALUES {told}) AS rows("StudyDate", "StudyTime")'
        hits = connection.execute(f"SELECT count(*) FROM {table} WHERE {found.sql}", list(found.parameters)).fetchone()
    assert hits == (2,)


def test_keys_that_nothing_is_known_of_are_named() -> None:
    found, unsupported = conditions(KEYS, {"PatientID": "7", "PatientAge": "070Y", "ReferencedStudySequence": ""})
    assert found.sql == '"PatientID" = ?'
    assert found.parameters == ("7",)
    assert unsupported == ("PatientAge",)
