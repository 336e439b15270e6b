"""Queries of every matching kind, level and information model, for whatever answers C-FIND. Pure.

They are about `made_files` of files.py and about `ENTRIES` on a worklist. Keys are as people type them: `Keyword=value`
matches, `Keyword` alone is returned, `Sequence.Keyword` lies in the first item of a sequence.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from crawler.model import Model
from tests.integration.files import ROOT
from tests.integration.worklists import Entry

STUDY, PATIENT = Model.STUDY_ROOT, Model.PATIENT_ROOT
STUDY_ONLY, WORKLIST = Model.PATIENT_STUDY_ONLY, Model.WORKLIST


@dataclass(frozen=True, slots=True)
class Asked:
    """One query."""

    kind: str
    """Of matching, as PS3.4 C.2.2.2 names it."""
    model: Model
    level: str
    """The QueryRetrieveLevel, empty for a worklist, which has none."""
    keys: tuple[str, ...]

    @property
    def name(self) -> str:
        """What it is known by in a report."""
        return f"{self.model.value} {self.level or 'worklist'}: {' '.join(self.keys)}"

    @property
    def nests(self) -> bool:
        """Whether a key lies in a sequence."""
        return any("." in key.partition("=")[0] for key in self.keys)


_SHORT = {
    "day": "{step}.ScheduledProcedureStepStartDate",
    "step": "ScheduledProcedureStepSequence",
    "series": "StudyInstanceUID={root}.1.2; SeriesInstanceUID={root}.1.2.2",
    "other": "StudyInstanceUID={root}.5.1; SeriesInstanceUID={root}.5.1.1",
    "root": ROOT,
}
"""What the tables below write in braces."""


def _table(model: Model, lines: str) -> list[Asked]:
    """Read `kind | level | key; key; ...`, a query a line."""
    asked = []
    for short, long in _SHORT.items():
        lines = lines.replace(f"{{{short}}}", long)
    for line in lines.strip().splitlines():
        kind, level, keys = (part.strip() for part in line.split("|"))
        asked.append(Asked(kind, model, level, tuple(key.strip() for key in keys.split(";"))))
    return asked


QUERIES = [
    *_table(
        STUDY,
        r"""
single value     | STUDY  | StudyInstanceUID={root}.2.1; PatientID; StudyDate; StudyTime; AccessionNumber
single value     | STUDY  | PatientID=P003; StudyInstanceUID; StudyID; PatientName
single value     | STUDY  | AccessionNumber=A400002; StudyInstanceUID; ReferringPhysicianName
single value     | STUDY  | StudyDate=20240229; StudyInstanceUID; StudyTime
single value     | STUDY  | StudyTime=081502; StudyInstanceUID; StudyDate
single value     | STUDY  | StudyID=1; StudyInstanceUID; PatientSex
single value     | STUDY  | PatientName=SINGLE; StudyInstanceUID; PatientBirthDate
single value     | STUDY  | PatientName=O'Brien^Mary-Ann; StudyInstanceUID; StudyDescription
single value     | STUDY  | StudyInstanceUID={root}.99.99; PatientID
UID list         | STUDY  | StudyInstanceUID={root}.1.1\{root}.3.2\{root}.5.1; PatientID; AccessionNumber
universal        | STUDY  | StudyInstanceUID; PatientID; PatientName; StudyDate; StudyTime; StudyDescription
universal        | STUDY  | StudyInstanceUID; NumberOfStudyRelatedSeries; NumberOfStudyRelatedInstances
universal        | STUDY  | StudyInstanceUID; ModalitiesInStudy; SOPClassesInStudy; PatientBirthDate; PatientSex
universal        | STUDY  | PatientName=*; StudyInstanceUID; AccessionNumber
wildcard         | STUDY  | PatientName=O*; StudyInstanceUID; PatientID
wildcard         | STUDY  | PatientName=*Mary*; StudyInstanceUID; PatientID
wildcard         | STUDY  | PatientName=*L?; StudyInstanceUID
wildcard         | STUDY  | PatientName=S?NGLE; StudyInstanceUID; PatientID
wildcard         | STUDY  | PatientID=P00?; StudyInstanceUID
wildcard         | STUDY  | AccessionNumber=A?00*1; StudyInstanceUID; StudyDate
wildcard         | STUDY  | StudyDescription=CT*; StudyInstanceUID
wildcard         | STUDY  | StudyDescription=*xx; StudyInstanceUID
case             | STUDY  | PatientName=single; StudyInstanceUID
case             | STUDY  | PatientName=o'bRI*; StudyInstanceUID
date range       | STUDY  | StudyDate=20240101-20240301; StudyInstanceUID; StudyTime
date range       | STUDY  | StudyDate=20240229-20240229; StudyInstanceUID
date range       | STUDY  | StudyDate=-20231231; StudyInstanceUID
date range       | STUDY  | StudyDate=20240229-; StudyInstanceUID
date range       | STUDY  | PatientBirthDate=19000101-19991231; StudyInstanceUID
time range       | STUDY  | StudyTime=080000-101500; StudyInstanceUID
time range       | STUDY  | StudyTime=-093000; StudyInstanceUID
time range       | STUDY  | StudyTime=200000-; StudyInstanceUID
combined         | STUDY  | StudyDate=20240101-20240630; StudyTime=080000-120000; StudyInstanceUID
combined         | STUDY  | StudyDate=20230101-20241231; PatientID=P00*; ModalitiesInStudy=CT; StudyInstanceUID
multiple values  | STUDY  | ModalitiesInStudy=CT; StudyInstanceUID; NumberOfStudyRelatedInstances
multiple values  | STUDY  | ModalitiesInStudy=CT\MR; StudyInstanceUID; StudyDate
charset          | STUDY  | SpecificCharacterSet=ISO_IR 192; PatientName=Müller*; StudyInstanceUID
charset          | STUDY  | SpecificCharacterSet=ISO_IR 192; PatientName=*^Jörg*; StudyInstanceUID; InstitutionName
charset          | STUDY  | SpecificCharacterSet; StudyInstanceUID; PatientName; StudyDescription
universal        | SERIES | StudyInstanceUID={root}.1.2; SeriesInstanceUID; Modality; SeriesNumber; SeriesDescription
universal        | SERIES | StudyInstanceUID={root}.1.2; SeriesInstanceUID; NumberOfSeriesRelatedInstances
single value     | SERIES | StudyInstanceUID={root}.3.1; Modality=CT; SeriesInstanceUID; SeriesDate; SeriesTime
single value     | SERIES | StudyInstanceUID={root}.4.1; SeriesNumber=1; SeriesInstanceUID; BodyPartExamined
single value     | SERIES | StudyInstanceUID={root}.2.2; SeriesInstanceUID={root}.2.2.1; StationName; ProtocolName
UID list         | SERIES | StudyInstanceUID={root}.2.2; SeriesInstanceUID={root}.2.2.1\{root}.2.2.2; SeriesNumber
wildcard         | SERIES | StudyInstanceUID={root}.3.1; SeriesDescription=*1 of ?; SeriesInstanceUID
without parent   | SERIES | Modality=MR; SeriesInstanceUID; StudyInstanceUID
universal        | IMAGE  | {series}; SOPInstanceUID; SOPClassUID
single value     | IMAGE  | {series}; InstanceNumber=1; SOPInstanceUID
UID list         | IMAGE  | {series}; SOPInstanceUID={root}.1.2.2.1\{root}.1.2.2.3; Rows; Columns
""",
    ),
    *_table(
        PATIENT,
        r"""
universal        | PATIENT | PatientID; PatientName; PatientBirthDate; PatientSex
universal        | PATIENT | PatientID; NumberOfPatientRelatedStudies; NumberOfPatientRelatedInstances
single value     | PATIENT | PatientID=P004; PatientName; PatientSex
single value     | PATIENT | PatientSex=F; PatientID
wildcard         | PATIENT | PatientID=P*; PatientName=*^*; PatientBirthDate
wildcard         | PATIENT | PatientName=?INGLE*; PatientID
date range       | PATIENT | PatientBirthDate=19800101-20001231; PatientID; PatientName
universal        | STUDY   | PatientID=P001; StudyInstanceUID; StudyDate; StudyTime; StudyDescription
date range       | STUDY   | PatientID=P001; StudyDate=20240101-; StudyInstanceUID; AccessionNumber
UID list         | STUDY   | PatientID=P002; StudyInstanceUID={root}.2.1\{root}.2.3; StudyID
universal        | SERIES  | PatientID=P003; StudyInstanceUID={root}.3.1; SeriesInstanceUID; Modality; SeriesNumber
universal        | IMAGE   | PatientID=P005; {other}; SOPInstanceUID; InstanceNumber
""",
    ),
    *_table(
        STUDY_ONLY,
        r"""
universal        | PATIENT | PatientID; PatientName
wildcard         | PATIENT | PatientName=O*; PatientID; PatientSex
universal        | STUDY   | PatientID=P001; StudyInstanceUID; StudyDate; AccessionNumber
date range       | STUDY   | PatientID=P002; StudyDate=20240101-; StudyInstanceUID
""",
    ),
    *_table(
        WORKLIST,
        r"""
universal        | | PatientName; PatientID; StudyInstanceUID; AccessionNumber; RequestedProcedureID
single value     | | PatientID=P003; PatientName; StudyInstanceUID; {step}.Modality
single value     | | AccessionNumber=A00004; StudyInstanceUID; RequestedProcedureDescription
wildcard         | | PatientName=O*; PatientID; StudyInstanceUID
wildcard         | | PatientName=*; RequestedProcedureCodeSequence.CodeValue; StudyInstanceUID
sequence         | | {step}.Modality=CT; StudyInstanceUID; PatientID
sequence         | | {step}.Modality=MR; {step}.ScheduledProcedureStepID; StudyInstanceUID
sequence         | | {step}.ScheduledStationAETitle=CT01; StudyInstanceUID
date range       | | {day}=20260302; StudyInstanceUID
date range       | | {day}=20260302-20260303; StudyInstanceUID
date range       | | {day}=20260303-; StudyInstanceUID; PatientID
date range       | | {day}=-20260302; StudyInstanceUID
time range       | | {step}.ScheduledProcedureStepStartTime=100000-150000; StudyInstanceUID
combined         | | {day}=20260302; {step}.Modality=CT; PatientName; StudyInstanceUID
combined         | | {day}=20260301-20260303; {step}.ScheduledProcedureStepStartTime=0800-1200; StudyInstanceUID
""",
    ),
]

ENTRIES = [
    Entry(0, date(2026, 3, 1), "081500", modality="CT", name="Doe^Jane"),
    Entry(1, date(2026, 3, 2), "093000", modality="MR", name="Roe^Richard"),
    Entry(2, date(2026, 3, 2), "113000", modality="CT", name="O'Brien^Mary-Ann"),
    Entry(3, date(2026, 3, 3), "140000", modality="CT", name="Müller^Jörg"),
    Entry(4, date(2026, 3, 4), "235959", modality="US", name="Ortega^Ana"),
]
"""What is on the worklist that the worklist's queries are about."""


def a_few() -> list[Asked]:
    """Give the first query of each kind of matching, and of each level of each model."""
    kinds = {asked.kind: asked for asked in reversed(QUERIES)}
    levels = {(asked.model, asked.level): asked for asked in reversed(QUERIES)}
    return [asked for asked in QUERIES if asked in (*kinds.values(), *levels.values())]
