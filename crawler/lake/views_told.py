"""What the columns of the views of views_for_people.sql are, for the dictionary. Pure."""

from __future__ import annotations

from crawler.columns import Phi

_N, _Q, _D = Phi.NONE, Phi.QUASI, Phi.DIRECT
_NEVER, _ABSENT, _UNCOUNTED = "never", "the PACS did not say", "the PACS counted none of them"
_PACS = ("pacs", "VARCHAR", "Name of the PACS, as in pacslake.toml", _NEVER, _N, "main")
_STUDIES = ("studies", "BIGINT", "Number of studies", _NEVER, _N, "31")
_SERIES = ("series", "BIGINT", "Number of series", _NEVER, _N, "204")
_INSTANCES = ("instances", "BIGINT", "Instances, by the PACS's counts", _UNCOUNTED, _N, "10530")

VIEWS_TOLD: dict[str, tuple[tuple[str, str, str, str, Phi, str], ...]] = {
    "modality_day": (
        _PACS,
        ("day", "DATE", "StudyDate", "studies without a date", _Q, "2024-01-31"),
        ("modality", "VARCHAR", "Modality of the series", _ABSENT, _N, "CT"),
        ("studies", "BIGINT", "Studies with such a series; one of two modalities counts at both", _NEVER, _N, "31"),
        _SERIES,
        _INSTANCES,
    ),
    "scanner_inventory": (
        _PACS,
        ("StationName", "VARCHAR", "Name of the equipment", _ABSENT, _Q, "CT01"),
        ("Manufacturer", "VARCHAR", "Maker of the equipment", _ABSENT, _N, "SIEMENS"),
        ("ManufacturerModelName", "VARCHAR", "Model of the equipment", _ABSENT, _N, "SOMATOM Force"),
        ("InstitutionName", "VARCHAR", "Institution where the equipment stands", _ABSENT, _Q, "Klinikum Nord"),
        ("modalities", "VARCHAR[]", "Modalities of its series, sorted", _ABSENT, _N, "CT, SR"),
        ("first_day", "DATE", "Day of its first series, else of the study", "no series has a date", _Q, "2019-03-01"),
        ("last_day", "DATE", "Day of its last series, else of the study", "no series has a date", _Q, "2024-01-31"),
        _STUDIES,
        _SERIES,
        _INSTANCES,
    ),
    "study_volume": (
        _PACS,
        ("month", "DATE", "First day of the month of StudyDate", "studies without a date", _N, "2024-01-01"),
        _STUDIES,
        ("patients", "BIGINT", "Number of PatientIDs", _NEVER, _N, "28"),
        ("series", "BIGINT", "Series, by the PACS's counts", _UNCOUNTED, _N, "204"),
        _INSTANCES,
    ),
    "turnaround": (
        _PACS,
        ("StudyInstanceUID", "VARCHAR", "Unique identifier of the study", _NEVER, _Q, "1.2.840.113619.2.5"),
        ("StudyDate", "DATE", "Day the study started", _ABSENT, _Q, "2024-01-31"),
        ("StudyDescription", "VARCHAR", "Description of the study", _ABSENT, _Q, "CT Thorax"),
        ("started_at", "TIMESTAMP", "StudyDate and StudyTime", "one is missing", _Q, "2024-01-31 09:30:15"),
        ("last_images_at", "TIMESTAMP", "Start of its last series of images", "no time", _Q, "2024-01-31 09:41:00"),
        ("first_report_at", "TIMESTAMP", "Its first SR or DOC series but dose", "none", _Q, "2024-01-31 11:02:30"),
        ("imaging_minutes", "DOUBLE", "From started_at to last_images_at", "one is missing", _N, "10.8"),
        ("report_minutes", "DOUBLE", "From started_at to first_report_at", "one is missing", _N, "92.3"),
    ),
    "conflicts": (
        ("level", "VARCHAR", "Whose UID it is: study or series", _NEVER, _N, "study"),
        ("uid", "VARCHAR", "The UID", _NEVER, _Q, "1.2.840.113619.2.5"),
        ("kind", "VARCHAR", "two_patients, two_pacs or, of a series, two_studies", _NEVER, _N, "two_patients"),
        ("pacs", "VARCHAR[]", "Every PACS that has it, sorted", _NEVER, _N, "archive, main"),
        ("patients", "VARCHAR[]", "The PatientIDs, sorted", "no PatientID", _D, "P001, P002"),
        ("studies", "VARCHAR[]", "The studies, sorted", _NEVER, _Q, "1.2.840.113619.2.5"),
    ),
    "omop_imaging_staging": (
        _PACS,
        ("person_source_value", "VARCHAR", "PatientID, for the crosswalk to person_id", _ABSENT, _D, "P001"),
        ("procedure_source_value", "VARCHAR", "AccessionNumber, for the crosswalk", _ABSENT, _D, "A1001"),
        ("image_occurrence_date", "DATE", "SeriesDate, else StudyDate", "neither is known", _Q, "2024-01-31"),
        ("image_study_uid", "VARCHAR", "StudyInstanceUID", _ABSENT, _Q, "1.2.840.113619.2.5"),
        ("image_series_uid", "VARCHAR", "SeriesInstanceUID", _NEVER, _Q, "1.2.840.113619.2.5.1"),
        ("modality_source_value", "VARCHAR", "Modality, to be mapped to a concept", _ABSENT, _N, "CT"),
        ("anatomic_site_source_value", "VARCHAR", "BodyPartExamined, to be mapped", _ABSENT, _N, "CHEST"),
    ),
}
