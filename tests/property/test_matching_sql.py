"""Keys as SQL conditions match the rows that the simulated PACS matches, which does it on columns."""

from __future__ import annotations

from datetime import date, time

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.columns import Attribute, by_keyword
from crawler.errors import UserError
from crawler.serve.matching import TRUE, condition
from crawler.testing.matching import BadKeyError, criterion

KEYS = by_keyword()
CONNECTION = duckdb.connect(config={"threads": 1})
TEXTS = st.text("aAbB%_\\'é^ ", max_size=4).map(str.strip)
UIDS = st.lists(st.integers(0, 3).map(str), min_size=1, max_size=3).map(".".join)
VALUES: dict[str, tuple[st.SearchStrategy[object], st.SearchStrategy[str]]] = {
    "StudyDescription": (TEXTS, st.text("aAbB%_'é^*?", max_size=4)),
    "PatientName": (TEXTS.map(lambda name: name.rstrip("^")), st.text("aAbB%_'é*?", max_size=4)),
    "StudyInstanceUID": (UIDS, st.lists(UIDS, min_size=1, max_size=3).map("\\".join)),
    "ModalitiesInStudy": (
        st.lists(st.sampled_from(("CT", "MR", "C_")), max_size=3),
        st.lists(st.sampled_from(("CT", "M*", "?T", "C_")), max_size=2).map("\\".join),
    ),
    "StudyDate": (
        st.dates(date(2024, 1, 1), date(2024, 1, 9)),
        st.from_regex(r"(2024010[1-9])?-?(2024010[1-9])?", fullmatch=True),
    ),
    "StudyTime": (
        st.times(time(9), time(10, 2)),
        st.from_regex(r"(0?9|10)?(00|01|59)?(00|30)?(\.5)?-?(10(0[0-2](00)?)?)?", fullmatch=True),
    ),
    "NumberOfStudyRelatedSeries": (st.integers(0, 12), st.sampled_from(("", "1", "12", "one", "1.5"))),
}


@given(st.sampled_from(sorted(VALUES)).flatmap(lambda name: st.tuples(st.just(name), *_drawn(name))))
def test_sql_matches_what_columns_match(drawn: tuple[str, list[object], str]) -> None:
    name, values, asked = drawn
    key = KEYS[name]
    try:
        wanted = criterion(key, asked)
    except BadKeyError:
        wanted = None
        if asked.strip("\\ "):
            _is_refused(key, asked)
        return
    column = pa.array(values, key.arrow_type)
    mask = [True] * len(values) if wanted is None else wanted(column).to_pylist()
    found = condition(key, asked) or TRUE
    rows = pa.table({name: column, "place": pa.array(range(len(values)), pa.int64())})
    with CONNECTION.cursor() as cursor:
        cursor.register("rows", rows)
        hits = cursor.execute(f"SELECT place FROM rows WHERE {found.sql}", list(found.parameters)).fetchall()
    assert {place for (place,) in hits} == {place for place, hit in enumerate(mask) if hit}


def _drawn(name: str) -> tuple[st.SearchStrategy[list[object]], st.SearchStrategy[str]]:
    column, key = VALUES[name]
    return st.lists(st.none() | column, min_size=1, max_size=6), key


def _is_refused(key: Attribute, asked: str) -> None:
    with pytest.raises(UserError):
        condition(key, asked)
