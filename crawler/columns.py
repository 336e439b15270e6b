"""THE attribute catalogue: which attributes are asked for at which level, and what each becomes as a column.

The C-FIND keys, the Arrow schema, the PHI class and the data dictionary all come from `CATALOGUE`. Tags and VRs are
those of PS3.6; a test compares them with pydicom's dictionary. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
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
    """The DICOM keyword, or the name that a user gave; its first column is called so."""
    tag: int
    vr: str
    phi: Phi
    meaning: str
    example: str = ""
    multi: bool = False
    path: tuple[int, ...] = ()
    """Tags of the sequences that it lies in, outermost first. Its column is a list: the values of all items."""
    creator: str = ""
    """Private creator; the tag lies in the block that we reserve for it when we ask (PS3.5 7.8.1)."""
    single: bool = False
    """The sequence that it lies in has one item, whose value is the column's."""

    @property
    def top(self) -> int:
        """The tag under which it stands at the top of an identifier: its own, or its outermost sequence's."""
        return self.path[0] if self.path else self.tag

    @property
    def label(self) -> str:
        """Its tag in eight hexadecimal digits, after those of its sequences."""
        return ".".join(f"{tag:08x}" for tag in (*self.path, self.tag))

    @property
    def listed(self) -> bool:
        """Whether its column holds lists."""
        return self.multi or (bool(self.path) and not self.single)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns made from it: its keyword, and for a single person name family and given name beside it."""
        if self.vr != "PN" or self.listed:
            return (self.keyword,)
        stem = _snake_case(self.keyword.removesuffix("Name"))
        return (self.keyword, f"{stem}_family_name", f"{stem}_given_name")

    @property
    def arrow_type(self) -> pa.DataType:
        """The type of its first column: DA date32, TM time64[us], DT timestamp[us], integers int64, DS/FL/FD double."""
        return arrow_type(self.vr, listed=self.listed)

    @property
    def null_means(self) -> str:
        """What a null in its first column says."""
        if self.vr == "SQ":
            return "not in the answer; '[]' where it came empty"
        if self.listed:
            return "not in the answer; [] where it came empty"
        if self.vr in _arrow_types():
            return "not in the answer, empty, or malformed: see faults"
        return "not in the answer; '' where it came empty"

    def fields(self) -> list[pa.Field]:
        """Give its columns, each of which says in its metadata what it is."""
        import pyarrow as pa

        said = {"tag": self.label, "vr": self.vr, "phi": self.phi.value, "null": self.null_means}
        said |= {"creator": self.creator} if self.creator else {}
        first, *derived = self.columns
        told = {"description": self.meaning, "example": self.example}
        fields = [pa.field(first, self.arrow_type, metadata={**said, **told})]
        for name, part, example in zip(derived, ("Family", "Given"), self.example.split("^"), strict=False):
            told = {"description": f"{part} name out of the first component group of {first}", "example": example}
            fields.append(pa.field(name, pa.string(), metadata={**said, **told}))
        return fields


def arrow_type(vr: str, *, listed: bool) -> pa.DataType:
    """Give the type of a column that holds one value of a VR, or lists of them."""
    import pyarrow as pa

    one = _arrow_types().get(vr, pa.string())
    return pa.list_(one) if listed else one


def added_attributes(fields: Iterable[pa.Field]) -> tuple[Attribute, ...]:
    """Make attributes again of the columns that they gave, which say in their metadata what they are."""
    found: dict[str, Attribute] = {}
    for field in fields:
        said = {key.decode(): value.decode() for key, value in field.metadata.items()}
        *path, tag = (int(step, 16) for step in said["tag"].split("."))
        multi = not path and str(field.type).startswith("list")
        told = (said["vr"], Phi(said["phi"]), said["description"], said["example"], multi, tuple(path))
        # Family and given name follow the name that they were made of.
        found.setdefault(said["tag"], Attribute(field.name, tag, *told, said.get("creator", "")))
    return tuple(found.values())


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

_CHARSET = Attribute(
    "SpecificCharacterSet", 0x00080005, "CS", N, "Character sets of the answer", "ISO_IR 100", multi=True
)
_STUDY_UID = Attribute(
    "StudyInstanceUID", 0x0020000D, "UI", Q, "Unique identifier of the study", "1.2.840.113619.2.55.3"
)
_SERIES_UID = Attribute(
    "SeriesInstanceUID", 0x0020000E, "UI", Q, "Unique identifier of the series", "1.2.840.113619.2.55.3.1"
)
_RETRIEVE_AE = Attribute(
    "RetrieveAETitle", 0x00080054, "AE", N, "Where it can be retrieved from", "MAINPACS", multi=True
)
_AVAILABILITY = Attribute(
    "InstanceAvailability", 0x00080056, "CS", N, "ONLINE, NEARLINE, OFFLINE or UNAVAILABLE", "ONLINE"
)
_PATIENT = (
    Attribute("PatientName", 0x00100010, "PN", D, "Name of the patient as written, components split by ^", "Doe^Jane"),
    Attribute("PatientID", 0x00100020, "LO", D, "Identifier of the patient at this PACS", "4711"),
    Attribute("IssuerOfPatientID", 0x00100021, "LO", Q, "Who issued PatientID", "HOSPITAL"),
    Attribute("PatientBirthDate", 0x00100030, "DA", D, "Date of birth", "1970-12-31"),
    Attribute("PatientSex", 0x00100040, "CS", Q, "M, F or O", "F"),
)

_CODE = (
    Attribute("CodeValue", 0x00080100, "SH", Q, "Value of each code", "169069000"),
    Attribute("CodingSchemeDesignator", 0x00080102, "SH", N, "Where each code is defined", "SCT"),
    Attribute("CodeMeaning", 0x00080104, "LO", Q, "Meaning of each code", "CT of chest"),
)
_STEP = 0x00400100
"""ScheduledProcedureStepSequence. An answer has one item in it (PS3.4 K.6.1.2.2)."""


def _of_step(*keys: Attribute) -> tuple[Attribute, ...]:
    return tuple(replace(key, path=(_STEP,), single=True) for key in keys)


def _of_items(sequence: str, path: tuple[int, ...], *keys: Attribute) -> tuple[Attribute, ...]:
    """Give columns of lists, that hold an attribute of each item of a sequence."""
    return tuple(replace(key, keyword=f"{sequence}_{key.keyword}", path=path) for key in keys)


CATALOGUE: dict[Level, tuple[Attribute, ...]] = {
    Level.PATIENT: (
        _CHARSET,
        *_PATIENT,
        Attribute(
            "NumberOfPatientRelatedStudies", 0x00201200, "IS", N, "Studies of the patient, by the PACS's count", "3"
        ),
        Attribute(
            "NumberOfPatientRelatedSeries", 0x00201202, "IS", N, "Series of the patient, by the PACS's count", "17"
        ),
        Attribute("NumberOfPatientRelatedInstances", 0x00201204, "IS", N, "Instances, by the PACS's count", "2480"),
    ),
    Level.STUDY: (
        _CHARSET,
        Attribute("StudyDate", 0x00080020, "DA", Q, "Day the study started", "2024-01-31"),
        Attribute("StudyTime", 0x00080030, "TM", Q, "Time of day the study started, local to the site", "09:30:15"),
        Attribute("AccessionNumber", 0x00080050, "SH", D, "Order number of the study", "A240131007"),
        _RETRIEVE_AE,
        _AVAILABILITY,
        Attribute("ModalitiesInStudy", 0x00080061, "CS", N, "Modalities of the study's series", "CT, SR", multi=True),
        Attribute("InstitutionName", 0x00080080, "LO", Q, "Institution that made the study", "General Hospital"),
        Attribute(
            "ReferringPhysicianName", 0x00080090, "PN", D, "Name of the referring physician as written", "Roe^Richard"
        ),
        Attribute("StudyDescription", 0x00081030, "LO", Q, "Description of the study", "CT chest"),
        *_PATIENT,
        _STUDY_UID,
        Attribute("StudyID", 0x00200010, "SH", D, "Identifier of the study given by equipment or user", "1207"),
        Attribute("NumberOfStudyRelatedSeries", 0x00201206, "IS", N, "Series of the study, by the PACS's count", "6"),
        Attribute(
            "NumberOfStudyRelatedInstances", 0x00201208, "IS", N, "Instances of the study, by the PACS's count", "820"
        ),
    ),
    Level.SERIES: (
        _CHARSET,
        Attribute("SeriesDate", 0x00080021, "DA", Q, "Day the series started", "2024-01-31"),
        Attribute("SeriesTime", 0x00080031, "TM", Q, "Time of day the series started, local to the site", "09:34:02.5"),
        _RETRIEVE_AE,
        _AVAILABILITY,
        Attribute("Modality", 0x00080060, "CS", N, "Kind of equipment that made the series: CT, MR, US ...", "CT"),
        Attribute("Manufacturer", 0x00080070, "LO", N, "Maker of the equipment", "SIEMENS"),
        Attribute("InstitutionName", 0x00080080, "LO", Q, "Institution where the equipment stands", "General Hospital"),
        Attribute("StationName", 0x00081010, "SH", Q, "Name of the equipment", "CT01"),
        Attribute("SeriesDescription", 0x0008103E, "LO", Q, "Description of the series", "Lung 1.0 B70f"),
        Attribute("ManufacturerModelName", 0x00081090, "LO", N, "Model of the equipment", "SOMATOM Force"),
        Attribute("BodyPartExamined", 0x00180015, "CS", N, "Body part", "CHEST"),
        Attribute("ProtocolName", 0x00181030, "LO", N, "Protocol under which the series was made", "Thorax routine"),
        _STUDY_UID,
        _SERIES_UID,
        Attribute("SeriesNumber", 0x00200011, "IS", N, "Number of the series in its study", "3"),
        Attribute("Laterality", 0x00200060, "CS", N, "R or L for a paired body part", "L"),
        Attribute(
            "NumberOfSeriesRelatedInstances", 0x00201209, "IS", N, "Instances of the series, by the PACS's count", "310"
        ),
    ),
    Level.IMAGE: (
        _CHARSET,
        Attribute(
            "ImageType",
            0x00080008,
            "CS",
            N,
            "ORIGINAL or DERIVED, PRIMARY or SECONDARY, and more",
            "ORIGINAL, PRIMARY, AXIAL",
            multi=True,
        ),
        Attribute("SOPClassUID", 0x00080016, "UI", N, "Kind of object (PS3.4 B.5)", "1.2.840.10008.5.1.4.1.1.2"),
        Attribute(
            "SOPInstanceUID", 0x00080018, "UI", Q, "Unique identifier of the instance", "1.2.840.113619.2.55.3.1.7"
        ),
        Attribute("ContentDate", 0x00080023, "DA", Q, "Day the image data were made", "2024-01-31"),
        Attribute(
            "AcquisitionDateTime",
            0x0008002A,
            "DT",
            Q,
            "When acquisition started, local to the site",
            "2024-01-31 09:34:02.5",
        ),
        Attribute("ContentTime", 0x00080033, "TM", Q, "Time of day the image data were made", "09:34:05"),
        Attribute("SliceThickness", 0x00180050, "DS", N, "Slice thickness in mm", "1.25"),
        _STUDY_UID,
        _SERIES_UID,
        Attribute("InstanceNumber", 0x00200013, "IS", N, "Number of the instance in its series", "7"),
        Attribute("SliceLocation", 0x00201041, "DS", N, "Relative position of the image plane in mm", "-112.5"),
        Attribute("NumberOfFrames", 0x00280008, "IS", N, "Frames of a multi-frame image", "64"),
        Attribute("Rows", 0x00280010, "US", N, "Height of the image in pixels", "512"),
        Attribute("Columns", 0x00280011, "US", N, "Width of the image in pixels", "512"),
    ),
    Level.WORKLIST: (
        _CHARSET,
        Attribute("AccessionNumber", 0x00080050, "SH", D, "Order number of the imaging service", "A240131007"),
        Attribute("ReferringPhysicianName", 0x00080090, "PN", D, "Name of the referring physician", "Roe^Richard"),
        Attribute("ReferencedStudySequence", 0x00081110, "SQ", Q, "Studies that it belongs to, as DICOM JSON", "[]"),
        *_of_items(
            "ReferencedStudySequence",
            (0x00081110,),
            Attribute("ReferencedSOPClassUID", 0x00081150, "UI", N, "Kind of each", "1.2.840.10008.3.1.2.3.1"),
            Attribute("ReferencedSOPInstanceUID", 0x00081155, "UI", Q, "UID of each", "1.2.840.113619.2.55.3"),
        ),
        Attribute("ReferencedPatientSequence", 0x00081120, "SQ", Q, "References to the patient, as DICOM JSON", "[]"),
        *_PATIENT,
        Attribute("PatientWeight", 0x00101030, "DS", Q, "Weight of the patient in kg", "72.5"),
        Attribute(
            "MedicalAlerts", 0x00102000, "LO", Q, "Conditions that staff should know of", "PACEMAKER", multi=True
        ),
        Attribute("Allergies", 0x00102110, "LO", Q, "Allergies of the patient", "IODINE", multi=True),
        Attribute("PregnancyStatus", 0x001021C0, "US", Q, "1 no, 2 possibly, 3 yes, 4 unknown", "1"),
        _STUDY_UID,
        Attribute("RequestingPhysician", 0x00321032, "PN", D, "Who requested the procedure", "Poe^Paula"),
        Attribute("RequestingService", 0x00321033, "LO", Q, "Department that requested it", "Cardiology"),
        Attribute("RequestedProcedureDescription", 0x00321060, "LO", Q, "Description of the procedure", "CT chest"),
        Attribute("RequestedProcedureCodeSequence", 0x00321064, "SQ", Q, "Codes of it, as DICOM JSON", "[]"),
        *_of_items("RequestedProcedureCodeSequence", (0x00321064,), *_CODE),
        Attribute("AdmissionID", 0x00380010, "LO", D, "Identifier of the visit", "V2024-0107"),
        Attribute("SpecialNeeds", 0x00380050, "LO", Q, "Special needs of the patient", "WHEELCHAIR"),
        Attribute("CurrentPatientLocation", 0x00380300, "LO", Q, "Where the patient is", "WARD 3"),
        Attribute("PatientState", 0x00380500, "LO", Q, "State of the patient", "CONSCIOUS"),
        Attribute("ScheduledProcedureStepSequence", _STEP, "SQ", D, "The whole step, as DICOM JSON", "[]"),
        *_of_step(
            Attribute("Modality", 0x00080060, "CS", N, "Kind of equipment that it is scheduled for", "CT"),
            Attribute("RequestedContrastAgent", 0x00321070, "LO", Q, "Contrast agent to be given", "BARIUM"),
            Attribute("ScheduledStationAETitle", 0x00400001, "AE", N, "Equipment to be used", "CT01", multi=True),
            Attribute("ScheduledProcedureStepStartDate", 0x00400002, "DA", Q, "Day it is scheduled for", "2024-01-31"),
            Attribute("ScheduledProcedureStepStartTime", 0x00400003, "TM", Q, "Time, local to the site", "09:30:00"),
            Attribute("ScheduledPerformingPhysicianName", 0x00400006, "PN", D, "Who is to perform it", "Moe^Mary"),
            Attribute("ScheduledProcedureStepDescription", 0x00400007, "LO", Q, "Description of the step", "Thorax"),
        ),
        *_of_items("ScheduledProtocolCodeSequence", (_STEP, 0x00400008), *_CODE),
        *_of_step(
            Attribute("ScheduledProcedureStepID", 0x00400009, "SH", D, "Identifier of the step", "SPS1207"),
            Attribute("ScheduledStationName", 0x00400010, "SH", N, "Name of that equipment", "CT01", multi=True),
            Attribute("ScheduledProcedureStepLocation", 0x00400011, "SH", Q, "Where it is to be done", "ROOM 2"),
            Attribute("PreMedication", 0x00400012, "LO", Q, "Medication to be given before", "NONE"),
            Attribute("ScheduledProcedureStepStatus", 0x00400020, "CS", N, "SCHEDULED, ARRIVED ...", "SCHEDULED"),
            Attribute("CommentsOnTheScheduledProcedureStep", 0x00400400, "LT", Q, "Comments on the step", "fasting"),
        ),
        Attribute("RequestedProcedureID", 0x00401001, "SH", D, "Identifier of the requested procedure", "RP1207"),
        Attribute("RequestedProcedurePriority", 0x00401003, "SH", N, "STAT, HIGH, ROUTINE ...", "ROUTINE"),
        Attribute("PatientTransportArrangements", 0x00401004, "LO", Q, "How the patient is brought", "BED"),
        Attribute(
            "ConfidentialityConstraintOnPatientDataDescription", 0x00403001, "LO", Q, "What is confidential", "VIP"
        ),
    ),
}
"""The attributes of each level in ascending tag order, as a C-FIND identifier wants them (PS3.5 7.1)."""

AS_OF_STUDIES = {
    "StudyDate": "ScheduledProcedureStepStartDate",
    "StudyTime": "ScheduledProcedureStepStartTime",
    "ModalitiesInStudy": "Modality",
    "StudyInstanceUID": Level.WORKLIST.unique_key,
}
"""What a window speaks of as if it were of studies -> what it means where a worklist is asked."""

_ITEM = {
    "description": "Key of the item: StudyInstanceUID and ScheduledProcedureStepID, with a space between",
    "example": "1.2.840.113619.2.55.3 SPS1207",
    "null": "never",
    "phi": D,
}


def by_keyword(added: Iterable[Attribute] = ()) -> dict[str, Attribute]:
    """Give all attributes of the catalogue by their keyword, and those that a user added."""
    return {key.keyword: key for keys in (*CATALOGUE.values(), added) for key in keys}


@cache
def schema(level: Level, added: tuple[Attribute, ...] = ()) -> pa.Schema:
    """Give the columns of one level's decoded answers: the catalogue's, those of `added`, then `faults` and `raw`.

    `faults` lists what was malformed, as (tag, reason); `raw` keeps the bytes of each value whose column cannot give
    them back: malformed, lossy in its type, or not ASCII. Tags are eight hexadecimal digits, `00080020` say.
    """
    import pyarrow as pa

    key = [pa.field(level.unique_key, pa.string(), metadata=_ITEM)] if level is Level.WORKLIST else []
    return schema_of((*CATALOGUE[level], *added), key)


def schema_of(attributes: Iterable[Attribute], keys: Iterable[pa.Field] = ()) -> pa.Schema:
    """Give the columns of some attributes, then `keys`, `faults` and `raw`."""
    import pyarrow as pa

    fault = pa.struct([("tag", pa.string()), ("reason", pa.string())])
    raw = pa.struct([("tag", pa.string()), ("value", pa.binary())])
    kept = {
        "faults": (fault, N, "What was malformed in the answer: tag and reason of each", "00080020 malformed DA"),
        "raw": (raw, D, "Bytes of values that their columns cannot give back", "00080020 2024-01-31"),
    }
    never = {"null": "never"}
    notes = [
        pa.field(name, pa.list_(kind), metadata={**never, "phi": phi, "description": meaning, "example": example})
        for name, (kind, phi, meaning, example) in kept.items()
    ]
    return pa.schema([*(field for key in attributes for field in key.fields()), *keys, *notes])
