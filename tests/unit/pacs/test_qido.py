"""Searches as paths, and what pages prove."""

from __future__ import annotations

from datetime import date
from urllib.parse import parse_qs

import pytest

from crawler.columns import CATALOGUE
from crawler.model import Level, Model, Window
from crawler.pacs.identifier import Query
from crawler.pacs.qido import SUCCESS, TOO_MANY, UNABLE, Pages, search_path

STUDIES = Query.of_window(Model.STUDY_ROOT, Window(date(2024, 1, 1), date(2024, 1, 31)))
SOME = 60


def _named(*uids: int) -> list[dict[str, object]]:
    return [{"0020000D": {"vr": "UI", "Value": [f"1.{uid}"]}} for uid in uids]


def _rows(first: int, last: int) -> list[dict[str, object]]:
    return _named(*range(first, last))


@pytest.mark.parametrize(
    ("query", "path", "keys"),
    [
        (STUDIES, "studies", {"StudyDate": ["20240101-20240131"]}),
        (Query(Model.STUDY_ROOT, Level.STUDY, {"StudyInstanceUID": "1.2"}), "studies", {"StudyInstanceUID": ["1.2"]}),
        (Query(Model.STUDY_ROOT, Level.SERIES, {"StudyInstanceUID": "1.2"}), "studies/1.2/series", {}),
        (Query(Model.STUDY_ROOT, Level.SERIES, {"StudyInstanceUID": "../1?a=b"}), "studies/..%2F1%3Fa%3Db/series", {}),
        (
            Query(Model.STUDY_ROOT, Level.SERIES, {"StudyInstanceUID": "1\\2"}),
            "series",
            {"StudyInstanceUID": ["1,2"]},
        ),
        (
            Query(Model.STUDY_ROOT, Level.IMAGE, {"StudyInstanceUID": "1", "SeriesInstanceUID": "2"}),
            "studies/1/series/2/instances",
            {},
        ),
        (Query(Model.STUDY_ROOT, Level.STUDY, {"PatientName": "Mü&*"}), "studies", {"PatientName": ["Mü&*"]}),
    ],
)
def test_a_query_becomes_a_path(query: Query, path: str, keys: dict[str, list[str]]) -> None:
    found, _, asked = search_path(query).partition("?")
    told = parse_qs(asked)
    included = told.pop("includefield")[0].split(",")
    assert (found, told) == (path, keys)
    assert included == [f"{key.tag:08X}" for key in CATALOGUE[query.level] if key.keyword != "SpecificCharacterSet"]


def _taken(
    *pages: tuple[list[dict[str, object]], bool], limit: int = 1000, largest: int = 0
) -> tuple[int, int | None, str | None]:
    """Give how many rows came of these pages, the status, and the last path."""
    answer, rows = Pages(STUDIES, limit, largest), 0
    for page, more in pages:
        assert answer.path is not None
        rows += len(answer.take(list(page), more=more))
    return rows, answer.status, answer.path


def test_nothing_is_whole_and_so_is_what_is_shorter_than_a_page_before() -> None:
    assert _taken(([], False)) == (0, SUCCESS, None)
    assert _taken((_rows(0, 49), False), largest=50) == (49, SUCCESS, None)
    assert _taken((_rows(0, 49), False), largest=49)[1] is None


def test_an_answer_is_whole_when_its_last_row_comes_alone() -> None:
    rows, status, path = _taken((_rows(0, SOME), False))
    assert (rows, status) == (SOME, None)
    assert path is not None
    assert path.endswith("&limit=1000&offset=59")
    assert _taken((_rows(0, SOME), False), (_rows(SOME - 1, SOME), False))[:2] == (SOME, SUCCESS)
    assert _taken((_rows(0, SOME), False), (_rows(59, 90), False), (_rows(89, 90), False))[:2] == (90, SUCCESS)


def test_a_single_row_is_whole_when_nothing_follows_it() -> None:
    _, status, path = _taken((_rows(0, 1), False))
    assert (status, (path or "")[-9:]) == (None, "&offset=1")
    assert _taken((_rows(0, 1), False), ([], False)) == (1, SUCCESS, None)
    assert _taken((_rows(0, 1), False), (_rows(0, 1), False)) == (1, SUCCESS, None)  # offset is not heeded
    assert _taken((_rows(0, 1), False), (_rows(1, 4), False), (_rows(3, 4), False)) == (4, SUCCESS, None)
    assert _taken((_rows(0, 1), False), (_rows(1, 2), False), (_rows(1, 2), False)) == (2, UNABLE, None)


def test_a_warning_makes_a_short_answer_go_on() -> None:
    assert _taken((_rows(0, 3), True), largest=50)[1] is None
    assert _taken((_rows(0, 3), True), (_rows(2, 3), True))[1] == TOO_MANY
    assert _taken(([], True))[1] == TOO_MANY


def test_pages_that_do_not_follow_each_other_prove_nothing() -> None:
    whole = _rows(0, SOME)
    assert _taken((whole, False), (whole, False))[:2] == (SOME, SUCCESS)  # neither offset nor limit is heeded
    assert _taken((whole, False), (whole, False), limit=SOME)[1] == TOO_MANY
    assert _taken((whole, True), (whole, True))[1] == TOO_MANY
    assert _taken((whole, False), ([], False))[1] == UNABLE
    assert _taken((whole, False), (_rows(SOME, 90), False))[1] == UNABLE
    assert _taken((whole, False), (_named(59, 3, 4), False))[1] == UNABLE
