"""THE attribute catalogue: which attributes are asked for at which level, and what each becomes as a column.

The C-FIND keys, the Arrow schema, the PHI class and the data dictionary all come from `CATALOGUE`. Tags and VRs are
those of PS3.6; a test compares them with pydicom's dictionary. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

from crawler.model import Level

if TYPE_CHECKING:
    import pyarrow as pa


class Phi(StrEnum):
    """How far a value identifies a person, after PS3.15 table E.1-1."""

    DIRECT = "direct"
    QUASI = "quasi"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute at one level: a key of the C-FIND request and one or more columns of the table."""

    keyword: str
    tag: int
    vr: str
    phi: Phi
    meaning: str
    multi: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns made from it: its keyword, and for a person name family and given name beside it."""
        if self.vr != "PN":
            return (self.keyword,)
        stem = _snake_case(self.keyword.removesuffix("Name"))
        return (self.keyword, f"{stem}_family_name", f"{stem}_given_name")

    @property
    def arrow_type(self) -> pa.DataType:
        """The type of its first column: DA date32, TM time64[us], DT timestamp[us], integers int64, DS/FL/FD double."""
        import pyarrow as pa

        one = _arrow_types().get(self.vr, pa.string())
        return pa.list_(one) if self.multi else one


def _snake_case(keyword: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", keyword).lower()


@cache
def _arrow_types() -> dict[str, pa.DataType]:
    import pyarrow as pa

    integers = dict.fromkeys(("IS", "US", "UL", "SS", "SL"), pa.int64())
    reals = dict.fromkeys(("DS", "FL", "FD"), pa.float64())
    times = {"DA": pa.date32(), "TM": pa.time64("us"), "DT": pa.timestamp("us")}
    return {**integers, **reals, **times}


D, Q, N = Phi.DIRECT, Phi.QUASI, Phi.NONE

_CHARSET = Attribute("SpecificCharacterSet", 0x00080005, "CS", N, "Character sets of the answer", multi=True)
_STUDY_UID = Attribute("StudyInstanceUID", 0x0020000D, "UI", Q, "Unique identifier of the study")
_SERIES_UID = Attribute("SeriesInstanceUID", 0x0020000E, "UI", Q, "Unique identifier of the series")
_RETRIEVE_AE = Attribute("RetrieveAETitle", 0x00080054, "AE", N, "Where it can be retrieved from", multi=True)
_AVAILABILITY = Attribute("InstanceAvailability", 0x00080056, "CS", N, "ONLINE, NEARLINE, OFFLINE or UNAVAILABLE")
_PATIENT = (
    Attribute("PatientName", 0x00100010, "PN", D, "Name of the patient as written, components split by ^"),
    Attribute("PatientID", 0x00100020, "LO", D, "Identifier of the patient at this PACS"),
    Attribute("IssuerOfPatientID", 0x00100021, "LO", Q, "Who issued PatientID"),
    Attribute("PatientBirthDate", 0x00100030, "DA", D, "Date of birth"),
    Attribute("PatientSex", 0x00100040, "CS", Q, "M, F or O"),
)

CATALOGUE: dict[Level, tuple[Attribute, ...]] = {
    Level.PATIENT: (
        _CHARSET,
        *_PATIENT,
        Attribute("NumberOfPatientRelatedStudies", 0x00201200, "IS", N, "Studies of the patient, by the PACS's count"),
        Attribute("NumberOfPatientRelatedSeries", 0x00201202, "IS", N, "Series of the patient, by the PACS's count"),
        Attribute("NumberOfPatientRelatedInstances", 0x00201204, "IS", N, "Instances, by the PACS's count"),
    ),
    Level.STUDY: (
        _CHARSET,
        Attribute("StudyDate", 0x00080020, "DA", Q, "Day the study started"),
        Attribute("StudyTime", 0x00080030, "TM", Q, "Time of day the study started, local to the site"),
        Attribute("AccessionNumber", 0x00080050, "SH", D, "Order number of the study"),
        _RETRIEVE_AE,
        _AVAILABILITY,
        Attribute("ModalitiesInStudy", 0x00080061, "CS", N, "Modalities of the study's series", multi=True),
        Attribute("InstitutionName", 0x00080080, "LO", Q, "Institution that made the study"),
        Attribute("ReferringPhysicianName", 0x00080090, "PN", D, "Name of the referring physician as written"),
        Attribute("StudyDescription", 0x00081030, "LO", Q, "Description of the study"),
        *_PATIENT,
        _STUDY_UID,
        Attribute("StudyID", 0x00200010, "SH", D, "Identifier of the study given by equipment or user"),
        Attribute("NumberOfStudyRelatedSeries", 0x00201206, "IS", N, "Series of the study, by the PACS's count"),
        Attribute("NumberOfStudyRelatedInstances", 0x00201208, "IS", N, "Instances of the study, by the PACS's count"),
    ),
    Level.SERIES: (
        _CHARSET,
        Attribute("SeriesDate", 0x00080021, "DA", Q, "Day the series started"),
        Attribute("SeriesTime", 0x00080031, "TM", Q, "Time of day the series started, local to the site"),
        _RETRIEVE_AE,
        _AVAILABILITY,
        Attribute("Modality", 0x00080060, "CS", N, "Kind of equipment that made the series: CT, MR, US ..."),
        Attribute("Manufacturer", 0x00080070, "LO", N, "Maker of the equipment"),
        Attribute("InstitutionName", 0x00080080, "LO", Q, "Institution where the equipment stands"),
        Attribute("StationName", 0x00081010, "SH", Q, "Name of the equipment"),
        Attribute("SeriesDescription", 0x0008103E, "LO", Q, "Description of the series"),
        Attribute("ManufacturerModelName", 0x00081090, "LO", N, "Model of the equipment"),
        Attribute("BodyPartExamined", 0x00180015, "CS", N, "Body part"),
        Attribute("ProtocolName", 0x00181030, "LO", N, "Protocol under which the series was made"),
        _STUDY_UID,
        _SERIES_UID,
        Attribute("SeriesNumber", 0x00200011, "IS", N, "Number of the series in its study"),
        Attribute("Laterality", 0x00200060, "CS", N, "R or L for a paired body part"),
        Attribute(
            "NumberOfSeriesRelatedInstances", 0x00201209, "IS", N, "Instances of the series, by the PACS's count"
        ),
    ),
    Level.IMAGE: (
        _CHARSET,
        Attribute("ImageType", 0x00080008, "CS", N, "ORIGINAL or DERIVED, PRIMARY or SECONDARY, and more", multi=True),
        Attribute("SOPClassUID", 0x00080016, "UI", N, "Kind of object (PS3.4 B.5)"),
        Attribute("SOPInstanceUID", 0x00080018, "UI", Q, "Unique identifier of the instance"),
        Attribute("ContentDate", 0x00080023, "DA", Q, "Day the image data were made"),
        Attribute("AcquisitionDateTime", 0x0008002A, "DT", Q, "When acquisition started, local to the site"),
        Attribute("ContentTime", 0x00080033, "TM", Q, "Time of day the image data were made"),
        Attribute("SliceThickness", 0x00180050, "DS", N, "Slice thickness in mm"),
        _STUDY_UID,
        _SERIES_UID,
        Attribute("InstanceNumber", 0x00200013, "IS", N, "Number of the instance in its series"),
        Attribute("SliceLocation", 0x00201041, "DS", N, "Relative position of the image plane in mm"),
        Attribute("NumberOfFrames", 0x00280008, "IS", N, "Frames of a multi-frame image"),
        Attribute("Rows", 0x00280010, "US", N, "Height of the image in pixels"),
        Attribute("Columns", 0x00280011, "US", N, "Width of the image in pixels"),
    ),
}
"""The attributes of each level in ascending tag order, as a C-FIND identifier wants them (PS3.5 7.1)."""


def schema(level: Level) -> pa.Schema:
    """Give the columns of one level's decoded answers, then `faults` and `raw`.

    `faults` lists what was malformed, as (tag, reason); `raw` keeps the bytes of each value whose column cannot give
    them back: malformed, lossy in its type, or not ASCII. Tags are eight hexadecimal digits, `00080020` say.
    """
    import pyarrow as pa

    fields = []
    for attribute in CATALOGUE[level]:
        first, *derived = attribute.columns
        fields.append(pa.field(first, attribute.arrow_type))
        fields.extend(pa.field(name, pa.string()) for name in derived)
    fault = pa.struct([("tag", pa.string()), ("reason", pa.string())])
    raw = pa.struct([("tag", pa.string()), ("value", pa.binary())])
    return pa.schema([*fields, pa.field("faults", pa.list_(fault)), pa.field("raw", pa.list_(raw))])
