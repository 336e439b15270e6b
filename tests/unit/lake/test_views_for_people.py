"""The views for people, on rows few enough to count by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest

from crawler.lake.query import Lake, open_lake
from crawler.lake.writer import LakeWriter
from crawler.model import Level
from tests.property.lake.answers import answers

JANUARY, FEBRUARY = date(2024, 1, 31), date(2024, 2, 1)
STUDIES: dict[str, list[dict[str, Any]]] = {
    "main": [
        {
            "StudyInstanceUID": "1",
            "StudyDate": JANUARY,
            "StudyTime": time(9, 30),
            "StudyDescription": "CT Thorax",
            "PatientID": "P1",
            "AccessionNumber": "A1",
            "NumberOfStudyRelatedSeries": 4,
            "NumberOfStudyRelatedInstances": 300,
        },
        {"StudyInstanceUID": "2", "StudyDate": JANUARY, "StudyTime": time(23, 55), "PatientID": "P1"},
        {"StudyInstanceUID": "3", "StudyDate": FEBRUARY, "PatientID": "P2", "NumberOfStudyRelatedInstances": 7},
        {"StudyInstanceUID": "4"},
    ],
    "other": [
        {"StudyInstanceUID": "1", "StudyDate": JANUARY, "PatientID": "X9"},
        {"StudyInstanceUID": "3", "StudyDate": FEBRUARY, "PatientID": "P2"},
    ],
}
SCANNER = {"StationName": "CT01", "Manufacturer": "SIEMENS", "ManufacturerModelName": "Force"}


def series(study: str, uid: str, modality: str | None, **more: Any) -> dict[str, Any]:
    return {"StudyInstanceUID": study, "SeriesInstanceUID": uid, "Modality": modality, **more}


def at(day: date, hour: int, minute: int) -> dict[str, Any]:
    return {"SeriesDate": day, "SeriesTime": time(hour, minute)}


SERIES = {
    "main": [
        series("1", "1.1", "CT", **SCANNER, **at(JANUARY, 9, 31), NumberOfSeriesRelatedInstances=100),
        series("1", "1.2", "CT", **SCANNER, **at(JANUARY, 9, 45), BodyPartExamined="CHEST"),
        series("1", "1.3", "SR", SeriesDescription="Dose Report", **at(JANUARY, 9, 46)),
        series("1", "1.4", "SR", **at(FEBRUARY, 10, 0)),
        series("2", "2.1", "CT", **SCANNER, **at(FEBRUARY, 0, 5), NumberOfSeriesRelatedInstances=50),
        series("3", "3.1", None),
        series("9", "9.1", "MR"),
    ],
    "other": [series("3", "1.1", "CT", **SCANNER)],
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    folder = tmp_path_factory.mktemp("views")
    with LakeWriter.open(folder) as writer:
        for pacs in STUDIES:
            writer.stage(Level.STUDY, pacs, "s1", answers(Level.STUDY, STUDIES[pacs]))
            writer.stage(Level.SERIES, pacs, "s1", answers(Level.SERIES, SERIES[pacs]))
        writer.commit()
    with open_lake(folder) as opened:
        yield opened


def rows(lake: Lake, statement: str) -> list[tuple[Any, ...]]:
    return lake.sql(f"{statement} ORDER BY ALL").fetchall()


def test_modality_day_counts_by_the_day_of_the_study(lake: Lake) -> None:
    assert rows(lake, "FROM modality_day") == [
        ("main", JANUARY, "CT", 2, 3, 150),
        ("main", JANUARY, "SR", 1, 2, None),
        ("main", FEBRUARY, None, 1, 1, None),
        ("other", FEBRUARY, "CT", 1, 1, None),
    ]


def test_scanner_inventory_tells_equipment_and_its_days(lake: Lake) -> None:
    force = ("CT01", "SIEMENS", "Force", None, ["CT"])
    assert rows(lake, "FROM scanner_inventory") == [
        ("main", *force, JANUARY, FEBRUARY, 2, 3, 150),
        ("main", None, None, None, None, ["MR", "SR"], JANUARY, FEBRUARY, 3, 4, None),
        ("other", *force, FEBRUARY, FEBRUARY, 1, 1, None),
    ]


def test_study_volume_counts_by_month(lake: Lake) -> None:
    assert rows(lake, "FROM study_volume") == [
        ("main", date(2024, 1, 1), 2, 1, 4, 300),
        ("main", date(2024, 2, 1), 1, 1, None, 7),
        ("main", None, 1, 0, None, None),
        ("other", date(2024, 1, 1), 1, 1, None, None),
        ("other", date(2024, 2, 1), 1, 1, None, None),
    ]


def test_turnaround_leaves_dose_reports_out_and_crosses_midnight(lake: Lake) -> None:
    took = "SELECT StudyInstanceUID, started_at, last_images_at, first_report_at, imaging_minutes, report_minutes"
    begun, next_day = datetime(2024, 1, 31, 9, 30), datetime(2024, 2, 1, 10, 0)
    assert rows(lake, f"{took} FROM turnaround WHERE pacs = 'main'") == [
        ("1", begun, datetime(2024, 1, 31, 9, 45), next_day, 15.0, 1470.0),
        ("2", datetime(2024, 1, 31, 23, 55), datetime(2024, 2, 1, 0, 5), None, 10.0, None),
        ("3", None, None, None, None, None),
        ("4", None, None, None, None, None),
    ]


def test_conflicts_are_one_uid_for_two_of_a_kind(lake: Lake) -> None:
    assert rows(lake, "FROM conflicts") == [
        ("series", "1.1", "two_studies", ["main", "other"], ["P1", "P2"], ["1", "3"]),
        ("study", "1", "two_patients", ["main", "other"], ["P1", "X9"], ["1"]),
        ("study", "3", "two_pacs", ["main", "other"], ["P2"], ["3"]),
    ]


def test_omop_staging_has_a_row_a_series_with_the_values_of_the_source(lake: Lake) -> None:
    staged = rows(lake, "FROM omop_imaging_staging WHERE pacs = 'main'")
    assert len(staged) == len(SERIES["main"])
    assert staged[1] == ("main", "P1", "A1", JANUARY, "1", "1.2", "CT", "CHEST")
    assert ("main", "P2", None, FEBRUARY, "3", "3.1", None, None) in staged
    assert ("main", None, None, None, "9", "9.1", "MR", None) in staged


def test_every_view_is_there_and_empty_in_an_empty_lake(tmp_path: Path) -> None:
    from crawler.lake.views_told import VIEWS_TOLD

    LakeWriter.open(tmp_path).close()
    with open_lake(tmp_path) as empty:
        for name in VIEWS_TOLD:
            assert empty.sql(f"FROM {name}").fetchall() == []
