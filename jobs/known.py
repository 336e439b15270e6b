"""What is known of a patient, by the lake and by the files as they came: it is looked for in what leaves. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.valuerep import PersonName

from crawler.deid.identifiers import CheckRules, Identifiers

_IDENTIFYING = {
    tag_for_keyword(keyword) or 0: keyword
    for keyword in (
        *("PatientName", "PatientID", "OtherPatientIDs", "OtherPatientNames", "PatientBirthName", "PatientBirthDate"),
        *("PatientMotherBirthName", "PatientAddress", "PatientTelephoneNumbers", "AccessionNumber", "StudyID"),
        *("ReferringPhysicianName", "PerformingPhysicianName", "OperatorsName", "NameOfPhysiciansReadingStudy"),
        *("RequestingPhysician", "PhysiciansOfRecord", "InstitutionName", "InstitutionAddress", "StationName"),
    )
}
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a patient."""

    rows: tuple[Row, ...] = ()
    """Of the lake, columns by name."""
    check: CheckRules = field(default_factory=CheckRules)
    shift: int = 0
    """Days by which the patient's dates are shifted."""

    def identifiers(self, *more: Row) -> Identifiers:
        """Give what is looked for, which takes some milliseconds."""
        return Identifiers.of((*self.rows, *more), self.check, self.shift)


class LastLook:
    """What is looked for in the files of a series: what the lake knows, and what each said of itself as it came.

    The lake may know a patient under another name by now, or under none.
    """

    def __init__(self, known: Known) -> None:
        self._known = known
        self._found: dict[tuple[object, ...], Identifiers] = {}

    def identifiers(self, dataset: Dataset) -> Identifiers:
        """Give it for a file as it came; those of a series say the same for the most part."""
        said = tuple(_raw(dataset, tag) for tag in _IDENTIFYING)
        if said not in self._found:
            self._found[said] = self._known.identifiers(_row(dataset))
        return self._found[said]


def _raw(dataset: Dataset, tag: int) -> object:
    value = dataset.get_item(tag).value if tag in dataset else None
    return value if isinstance(value, bytes) else str(value)


def _row(dataset: Dataset) -> Row:
    """Give what a file says of its patient, as a row of the lake would."""
    row: Row = {}
    for keyword in _IDENTIFYING.values():
        if (value := dataset.get(keyword)) is not None:
            several = [value] if isinstance(value, str | PersonName) else list(value)
            row[keyword] = [str(one) for one in several]
    return row
