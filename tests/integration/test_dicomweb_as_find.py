"""One lake answers the same questions by DICOMweb and by C-FIND with the same values."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pynetdicom.association import Association

import crawler
from crawler.errors import UserError
from crawler.lake.query import Lake
from crawler.model import Level, Model
from crawler.serve.dicom_json import dataset
from crawler.serve.searching import known, read_search, statement
from crawler.testing.archive import Archive
from tests.integration.finding import answering, archived, calling, find, identifier, lake_of

ARCHIVE = Archive(16, date(2024, 3, 1), date(2024, 3, 4), seed=3, undated=1, series_per_study=2)
NOT_ALIKE = ("SpecificCharacterSet", "RetrieveURL", "RetrieveAETitle", "QueryRetrieveLevel")
KEYS: dict[Level, dict[str, tuple[str, ...]]] = {
    Level.STUDY: {
        "StudyDate": ("20240302", "20240301-20240302", "-20240302", "20240303-"),
        "StudyTime": ("10", "0900-1130", "-1000", "143000-"),
        "PatientID": ("4*", "*1?"),
        "PatientName": ("*A*", "b*^*", "????*E"),
        "ModalitiesInStudy": ("CT", "M?", "CT\\MR"),
        "PatientSex": ("M",),
        "NumberOfStudyRelatedSeries": ("2",),
    },
    Level.SERIES: {"Modality": ("CT", "*R"), "SeriesNumber": ("1", "2"), "StudyDate": ("20240302-",)},
    Level.IMAGE: {"Modality": ("CT", "MR"), "PatientSex": ("F",), "Rows": ("",)},
}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lake_of(tmp_path_factory.mktemp("both"), {"main": archived(ARCHIVE)})


@pytest.fixture(scope="module")
def lake(path: Path) -> Iterator[Lake]:
    with crawler.open_lake(path) as lake:
        yield lake


@pytest.fixture(scope="module")
def assoc(path: Path) -> Iterator[Association]:
    with answering(path, {"main": "SIMPACS"}) as port, calling(port, flags=b"\1") as assoc:
        yield assoc


@st.composite
def questions(draw: st.DrawFn) -> tuple[Level, dict[str, str]]:
    level = draw(st.sampled_from(list(KEYS)))
    always = {"InstanceNumber": st.sampled_from(("1", "3"))} if level is Level.IMAGE else {}
    asked = draw(
        st.fixed_dictionaries(always, optional={name: st.sampled_from(some) for name, some in KEYS[level].items()})
    )
    return level, asked


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(questions())
def test_both_find_the_same(lake: Lake, assoc: Association, question: tuple[Level, dict[str, str]]) -> None:
    level, keys = question
    search = read_search(
        level, (), [(name, value.replace("\\", ",")) for name, value in keys.items()] + [("limit", "5000")]
    )
    asked = statement(search)
    rows = lake.connection.sql(asked.sql, params=list(asked.parameters)).to_arrow_table().to_pylist()
    attributes = [key for name, (_, key) in known(level).items() if name in search.returned]
    by_web = [Dataset.from_json(dict(dataset(row, attributes, "http://lake"))) for row in rows]
    returned = dict.fromkeys(search.returned, "")
    told = find(assoc, Model.STUDY_ROOT, identifier(level, **{**returned, **keys}))
    assert told.status == 0
    assert _values(by_web) == _values(told.rows)


PARAMETERS = st.tuples(
    st.sampled_from([*known(Level.IMAGE), "00080020", "limit", "offset", "includefield", "fuzzymatching"])
    | st.text(max_size=12),
    st.text(max_size=8) | st.text("0123456789-.*?\\\\,", max_size=20) | st.from_type(float).map(str),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(list(KEYS)), st.lists(PARAMETERS, min_size=1, max_size=3))
def test_any_parameters_are_a_search_or_an_error_of_the_user(
    lake: Lake, level: Level, parameters: list[tuple[str, str]]
) -> None:
    try:
        asked = statement(read_search(level, (), parameters))
    except UserError:
        return
    assert len(lake.connection.execute(asked.sql, list(asked.parameters)).fetchall()) >= 0


def _values(rows: list[Dataset]) -> set[str]:
    """Give the elements that both say of themselves."""
    return {"\n".join(map(_plain, (one for one in row if one.keyword not in NOT_ALIKE))) for row in rows}


def _plain(element: DataElement) -> str:
    """Give an element as text: nothing where it is empty, a time without zeros after its last digit."""
    value = "" if element.value is None or element.value == [] else str(element.value)
    return f"{element.keyword} {value.rstrip('0') if element.VR == 'TM' and '.' in value else value}"
