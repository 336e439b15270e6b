"""A study and its series as a FHIR R4 ImagingStudy (https://hl7.org/fhir/R4/imagingstudy.html). Pure.

What the PACS did not say is left out; where FHIR wants it all the same, an extension says that it is unknown. FHIR
wants a zone with every time of day, and DICOM seldom has one: without a zone from the caller `started` is the day.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

Resource = dict[str, Any]

STUDY_COLUMNS = (
    *("pacs", "StudyInstanceUID", "StudyDate", "StudyTime", "AccessionNumber", "ModalitiesInStudy", "StudyDescription"),
    *("PatientID", "IssuerOfPatientID", "ReferringPhysicianName"),
    *("NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"),
)
SERIES_COLUMNS = (
    *("SeriesInstanceUID", "SeriesDate", "SeriesTime", "Modality", "SeriesDescription", "BodyPartExamined"),
    *("SeriesNumber", "Laterality", "NumberOfSeriesRelatedInstances"),
)

_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_SNOMED = "http://snomed.info/sct"
_SIDES = {"L": ("7771000", "Left"), "R": ("24028007", "Right")}
_UNKNOWN = {
    "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]
}
_ACCESSION = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "ACSN"}]}
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


def has_uid(series: Mapping[str, Any]) -> bool:
    """Whether FHIR allows the UID of a series: letters, digits, dots and hyphens, 64 at most."""
    return _ID.fullmatch(series["SeriesInstanceUID"] or "") is not None


def imaging_study(study: Mapping[str, Any], series: Sequence[Mapping[str, Any]], zone: tzinfo | None) -> Resource:
    """Make the resource of a study; series whose UID FHIR does not allow must be left out before (`has_uid`)."""
    pacs, uid = study["pacs"], study["StudyInstanceUID"]
    accession = _text(study["AccessionNumber"])
    return _said(
        resourceType="ImagingStudy",
        # One study may be at two PACS: neither UID nor accession number is an id of its own.
        id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{pacs}/{uid}")),
        meta={"source": f"urn:pacslake:{pacs}"},
        identifier=[
            {"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"},
            *([{"type": _ACCESSION, "value": accession}] if accession else []),
        ],
        status="available",
        modality=[{"system": _DCM, "code": code} for code in map(_text, study["ModalitiesInStudy"] or ()) if code],
        subject=_patient(study),
        started=_moment(study["StudyDate"], study["StudyTime"], zone),
        referrer=_said(display=_text(study["ReferringPhysicianName"])),
        numberOfSeries=_count(study["NumberOfStudyRelatedSeries"]),
        numberOfInstances=_count(study["NumberOfStudyRelatedInstances"]),
        description=_text(study["StudyDescription"]),
        series=[_series(one, zone) for one in series],
    )


def _series(series: Mapping[str, Any], zone: tzinfo | None) -> Resource:
    modality = _text(series["Modality"])
    body_part = _text(series["BodyPartExamined"])
    code, side = _SIDES.get(series["Laterality"] or "", ("", ""))
    return _said(
        uid=series["SeriesInstanceUID"],
        number=_count(series["SeriesNumber"]),
        modality={"system": _DCM, "code": modality} if modality else _UNKNOWN,
        description=_text(series["SeriesDescription"]),
        numberOfInstances=_count(series["NumberOfSeriesRelatedInstances"]),
        bodySite=_said(display=body_part),
        laterality={"system": _SNOMED, "code": code, "display": side} if code else None,
        started=_moment(series["SeriesDate"], series["SeriesTime"], zone),
    )


def _patient(study: Mapping[str, Any]) -> Resource:
    number = _text(study["PatientID"])
    if not number:
        return _UNKNOWN
    assigner = _said(display=_text(study["IssuerOfPatientID"]))
    return {"type": "Patient", "identifier": _said(value=number, assigner=assigner)}


def _moment(day: date | None, at: time | None, zone: tzinfo | None) -> str | None:
    if day is None:
        return None
    if at is None or zone is None:
        return day.isoformat()
    moment = datetime.combine(day, at, zone)
    # Offsets of before the railways have seconds, which FHIR cannot write.
    whole = not (moment.utcoffset() or timedelta(0)) % timedelta(minutes=1)
    return moment.isoformat() if whole else day.isoformat()


def _count(number: int | None) -> int | None:
    """Give what FHIR takes as an unsignedInt."""
    return number if number is not None and 0 <= number < 2**31 else None


def _text(text: str | None) -> str | None:
    """Give text with single spaces, which FHIR's codes want, and without control characters, which it forbids."""
    return " ".join("".join(one if one.isprintable() else " " for one in text or "").split()) or None


def _said(**fields: Any) -> Resource:
    """Keep the fields that say something: FHIR knows neither null nor empty."""
    return {name: value for name, value in fields.items() if value not in (None, [], {})}
