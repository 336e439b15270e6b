"""ImagingStudy resources, checked by fhir.resources against the structure of R4B, which R4's ImagingStudy shares."""

from __future__ import annotations

import json
from datetime import date, time
from typing import Any
from zoneinfo import ZoneInfo

from fhir.resources.R4B.imagingstudy import ImagingStudy
from hypothesis import given
from hypothesis import strategies as st

from crawler import columns
from crawler.export.fhir import SERIES_COLUMNS, STUDY_COLUMNS, has_uid, imaging_study
from crawler.model import Level

BERLIN = ZoneInfo("Europe/Berlin")
STUDY: dict[str, Any] = {
    "pacs": "main",
    "StudyInstanceUID": "1.2.3",
    "StudyDate": date(2024, 7, 31),
    "StudyTime": time(9, 30, 15),
    "AccessionNumber": "A1",
    "ModalitiesInStudy": ["CT", "", None, "SR"],
    "StudyDescription": " CT\tThorax ",
    "PatientID": "P1",
    "IssuerOfPatientID": "HOSP",
    "ReferringPhysicianName": "Doe^Jane",
    "NumberOfStudyRelatedSeries": 2,
    "NumberOfStudyRelatedInstances": -1,
}
SERIES: dict[str, Any] = {
    "SeriesInstanceUID": "1.2.3.1",
    "SeriesDate": date(2024, 1, 31),
    "SeriesTime": time(9, 31),
    "Modality": "CT",
    "SeriesDescription": "axial",
    "BodyPartExamined": "KNEE",
    "SeriesNumber": 1,
    "Laterality": "L",
    "NumberOfSeriesRelatedInstances": 100,
}
BARE = dict.fromkeys(STUDY_COLUMNS) | {"pacs": "main", "StudyInstanceUID": "1.2.3"}
BARE_SERIES = dict.fromkeys(SERIES_COLUMNS) | {"SeriesInstanceUID": "1.2.3.1"}


def test_a_study_says_what_the_pacs_said() -> None:
    resource = imaging_study(STUDY, [SERIES], BERLIN)
    ImagingStudy.model_validate(resource)
    assert resource == {
        "resourceType": "ImagingStudy",
        "id": "f6069981-a890-5398-ae9b-3762104c50fe",
        "meta": {"source": "urn:pacslake:main"},
        "identifier": [
            {"system": "urn:dicom:uid", "value": "urn:oid:1.2.3"},
            {
                "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "ACSN"}]},
                "value": "A1",
            },
        ],
        "status": "available",
        "modality": [
            {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "CT"},
            {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "SR"},
        ],
        "subject": {"type": "Patient", "identifier": {"value": "P1", "assigner": {"display": "HOSP"}}},
        "started": "2024-07-31T09:30:15+02:00",
        "referrer": {"display": "Doe^Jane"},
        "numberOfSeries": 2,
        "description": "CT Thorax",
        "series": [
            {
                "uid": "1.2.3.1",
                "number": 1,
                "modality": {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "CT"},
                "description": "axial",
                "numberOfInstances": 100,
                "bodySite": {"display": "KNEE"},
                "laterality": {"system": "http://snomed.info/sct", "code": "7771000", "display": "Left"},
                "started": "2024-01-31T09:31:00+01:00",
            }
        ],
    }


def test_without_a_zone_only_the_day_is_said() -> None:
    assert imaging_study(STUDY, [], None)["started"] == "2024-07-31"


def test_an_offset_with_seconds_is_not_said() -> None:
    assert imaging_study(STUDY | {"StudyDate": date(1890, 1, 1)}, [], BERLIN)["started"] == "1890-01-01"


def test_what_fhir_wants_and_the_pacs_did_not_say_is_unknown() -> None:
    resource = imaging_study(BARE, [BARE_SERIES], BERLIN)
    ImagingStudy.model_validate(resource)
    assert set(resource) == {"resourceType", "id", "meta", "identifier", "status", "subject", "series"}
    [absent] = resource["subject"]["extension"]
    assert absent["valueCode"] == resource["series"][0]["modality"]["extension"][0]["valueCode"] == "unknown"


def test_a_study_at_two_pacs_has_two_ids_that_stay() -> None:
    here, there = (imaging_study(BARE | {"pacs": pacs}, [], None)["id"] for pacs in ("main", "other"))
    assert here != there
    assert here == imaging_study(STUDY, [SERIES], BERLIN)["id"]


def test_uids_that_fhir_does_not_allow_are_told() -> None:
    allowed = ["1.2.3", "a-b"]
    for uid in [*allowed, "", None, "1 2", "1" * 65, "1_2", "1.2\n"]:
        assert has_uid({"SeriesInstanceUID": uid}) == (uid in allowed)


TEXT = st.none() | st.text(max_size=12)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXT,
    "int64": st.none() | st.integers(-(2**63), 2**63 - 1),
    "date32[day]": st.none() | st.dates(),
    "time64[us]": st.none() | st.times(),
    "list<item: string>": st.none() | st.lists(TEXT, max_size=3),
    "list<element: string>": st.none() | st.lists(TEXT, max_size=3),
}


def rows(level: Level, names: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    schema = columns.schema(level)
    return st.fixed_dictionaries({name: VALUES[str(schema.field(name).type)] for name in names if name != "pacs"})


@given(rows(Level.STUDY, STUDY_COLUMNS), st.lists(rows(Level.SERIES, SERIES_COLUMNS), max_size=2))
def test_any_row_becomes_a_valid_resource(study: dict[str, Any], series: list[dict[str, Any]]) -> None:
    allowed = [one | {"SeriesInstanceUID": f"1.{at}"} for at, one in enumerate(series)]
    resource = imaging_study(study | {"pacs": "main", "StudyInstanceUID": "1.2"}, allowed, BERLIN)
    ImagingStudy.model_validate_json(json.dumps(resource))
