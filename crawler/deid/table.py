"""What is done with each attribute: PS3.15 Table E.1-1 of one edition, its options, rules for what it does not name.

The table comes from dicom-anonymizer. It leaves a choice to whoever applies it ("X/Z/D"); how we choose stands at
`_chosen`. Attributes that it does not name are kept if they can hold neither text of people, nor dates, nor UIDs of
instances, see `_unnamed`. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache

from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c as edition
from pydicom.datadict import dictionary_has_tag, dictionary_keyword, dictionary_VR, tag_for_keyword


class Action(StrEnum):
    """What becomes of an attribute; its value is the word that reports count it under."""

    KEEP = "kept"
    ITEMS = "items cleaned"
    """Of a sequence: kept, and each attribute of its items goes by this table."""
    REMOVE = "removed"
    EMPTY = "emptied"
    DUMMY = "replaced by a dummy"
    UID = "UID replaced"
    SHIFT = "date shifted"
    TIME = "time kept"
    AGE = "age kept"
    PATIENT = "patient replaced by code"
    CODE = "replaced by code"
    FIXED = "replaced as the recipe says"
    PRIVATE = "private removed"
    UNKNOWN = "unknown removed"


def _table() -> Mapping[int, str]:
    """Read the profile: what it says of each tag, as `X/Z`."""
    said = {"X/Z/U*": edition.X_Z_U_STAR_TAGS}
    said |= {
        code: getattr(edition, f"{code.replace('/', '_')}_TAGS")
        for code in ("D", "Z", "X", "U", "Z/D", "X/Z", "X/D", "X/Z/D")
    }
    # Entries of four numbers are repeating groups, which `_unnamed` removes as a whole.
    return {tag[0] << 16 | tag[1]: code for code, tags in said.items() for tag in tags if len(tag) == 2}


PROFILE = _table()


def _tags(keywords: str) -> frozenset[int]:
    tags = {keyword: tag_for_keyword(keyword) for keyword in keywords.split()}
    assert None not in tags.values(), tags
    return frozenset(tag for tag in tags.values() if tag is not None)


# Retain Patient Characteristics: what has K in its column (edition 2024e). Its column has C, to be cleaned, for
# Allergies, Patient State, Pre-Medication and Special Needs: these are texts, and go.
PATIENT_CHARACTERISTICS = _tags(
    "EthnicGroup PatientAge PatientSex PatientSexNeutered PatientSize PatientWeight PregnancyStatus SmokingStatus"
)

# Retain Device Identity: what has K in its column (edition 2024e), but for dates, which follow the option for dates.
# The AE titles and network IDs that have C there go.
DEVICE_IDENTITY = _tags(
    "CassetteID DetectorID DeviceDescription DeviceLabel DeviceSerialNumber DeviceUID GantryID GeneratorID LensMake"
    " LensModel LensSerialNumber LensSpecification ManufacturerDeviceClassUID ManufacturerDeviceIdentifier"
    " ModifyingDeviceID ModifyingSystem PerformedStationGeographicLocationCodeSequence PerformedStationName"
    " PerformedStationNameCodeSequence PlateID ScheduledProcedureStepLocation ScheduledStationName"
    " ScheduledStationGeographicLocationCodeSequence ScheduledStationNameCodeSequence ScheduledStudyLocation"
    " SourceManufacturer SourceSerialNumber StationName TransducerIdentificationSequence TreatmentMachineName"
    " UDISequence UniqueDeviceIdentifier XRayDetectorID XRayDetectorLabel XRaySourceID"
)

# Dates that are the same for many patients, of code tables, products, trials and devices: who knows one, or compares it
# between patients, would learn by how many days theirs are shifted. They go as under the Basic Profile.
_SHARED_DATES = _tags(
    "ContextGroupVersion ContextGroupLocalVersion EffectiveDateTime InformationIssueDateTime"
    " HangingProtocolCreationDateTime EthicsCommitteeApprovalEffectivenessStartDate"
    " EthicsCommitteeApprovalEffectivenessEndDate CalibrationDate CalibrationTime CalibrationDateTime"
    " DateOfLastCalibration TimeOfLastCalibration DateTimeOfLastCalibration DateOfLastDetectorCalibration"
    " TimeOfLastDetectorCalibration DateOfManufacture DateOfInstallation SourceStrengthReferenceDate"
    " SourceStrengthReferenceTime"
)
# Never shifted, since the option for modified dates leaves them to the profile.
_DATES_OF_PEOPLE = _tags("PatientBirthDate PatientBirthTime GPSTimeStamp")

PATIENT = _tags("PatientID PatientName")
NUMBERS = {tag: dictionary_keyword(tag) for tag in _tags("AccessionNumber StudyID")}
"""Numbers of which a recipe says what becomes of them, by tag."""

# UIDs that name kinds of things and not things.
_KINDS = ("SOPClass", "TransferSyntax", "CodingScheme", "ContextUID", "ContextGroupExtensionCreator", "MappingResource")
# Codes too long for a code value, and where a coding scheme is described.
_CODES = _tags("LongCodeValue URNCodeValue CodingSchemeURL")
# Names of people and of what belongs to them that the table lacks.
_BESIDES = _tags(
    "PatientBirthDateInAlternativeCalendar PatientDeathDateInAlternativeCalendar PatientAlternativeCalendar OwnerID"
    " BreedRegistrationNumber StrainStockNumber ContactDisplayName HangingProtocolCreator HangingProtocolUserGroupName"
    " RouteOfAdmissions BoardingPassID ItineraryID"
)
# What cannot be looked into, or tells of bytes that are no longer there.
_OPAQUE = _tags(
    "EncryptedAttributesSequence MACParametersSequence PrivateDataElementCharacteristicsSequence DataSetTrailingPadding"
    " LengthToEnd"
)
_FREE = ("Comment", "Comments", "Description", "Notes")
_TEXTS = frozenset(("PN", "LT", "ST", "UT", "UC", "UR", "AE"))
TIMES = {"DA": Action.SHIFT, "DT": Action.SHIFT, "TM": Action.TIME}


def profile_action(tag: int) -> Action:
    """Give what becomes of an attribute under the Basic Profile, without any option."""
    if tag in PATIENT:
        return Action.PATIENT
    if tag in PROFILE:
        return _chosen(PROFILE[tag], vr_of(tag))
    return _unnamed(tag)


def _chosen(code: str, vr: str) -> Action:
    """Take the last letter of a choice, which suits every IOD: D where one may need a value, Z where it may be empty.

    But no D for a sequence where the profile leaves another: a dummy item would tell of a procedure or a person.
    """
    if code == "X/Z/U*":
        return Action.ITEMS
    letters = code.split("/")
    if vr == "SQ" and len(letters) > 1 and letters[-1] == "D":
        letters.pop()
    letter = "U" if vr == "UI" and letters[-1] == "D" else letters[-1]
    return {"X": Action.REMOVE, "Z": Action.EMPTY, "D": Action.DUMMY, "U": Action.UID}[letter]


def _unnamed(tag: int) -> Action:
    """Decide on what the table does not name: kept is what can hold neither texts, nor dates, nor UIDs of instances."""
    group, element = tag >> 16, tag & 0xFFFF
    if group % 2:
        return Action.PRIVATE
    if group < 0x0008 or element == 0 or tag in _OPAQUE or tag in _BESIDES:
        return Action.REMOVE
    # Curves, as the table wants it; overlays as a whole, since without their data the rest describes nothing.
    if group & 0xFF00 in (0x5000, 0x6000):
        return Action.REMOVE
    if not dictionary_has_tag(tag):
        return Action.UNKNOWN
    vr = vr_of(tag)
    if vr == "SQ":
        return Action.ITEMS
    if vr in TIMES:
        return Action.EMPTY
    if vr in _TEXTS and tag not in _CODES:
        return Action.DUMMY
    if vr == "UI" and not any(kind in dictionary_keyword(tag) for kind in _KINDS):
        return Action.UID
    return Action.KEEP


@lru_cache(maxsize=10_000)
def vr_of(tag: int) -> str:
    """Give the VR of the dictionary, the first where it leaves a choice; `UN` for what it does not know."""
    return dictionary_VR(tag)[:2] if dictionary_has_tag(tag) else "UN"


def modified_dates(tag: int) -> Action | None:
    """Give what Retain Longitudinal Temporal Information with Modified Dates makes of an attribute of time.

    Its column (edition 2024e) has these and some of `_SHARED_DATES`; three more in it hold no date, and are removed.
    """
    return None if tag in _DATES_OF_PEOPLE | _SHARED_DATES else TIMES.get(vr_of(tag))


def patient_characteristics(tag: int) -> Action | None:
    """Give what Retain Patient Characteristics makes of an attribute, if it is one."""
    if tag not in PATIENT_CHARACTERISTICS:
        return None
    return Action.AGE if vr_of(tag) == "AS" else Action.KEEP


def clean_descriptors(tag: int) -> Action | None:
    """Give what Clean Descriptors makes of an attribute that the table does not name: texts of one line go as well.

    Of those that it names, C, to be cleaned, is met by the profile, which removes them.
    """
    free = tag not in PROFILE and vr_of(tag) in ("LO", "SH") and dictionary_keyword(tag).endswith(_FREE)
    return Action.DUMMY if free else None


def device_identity(tag: int) -> Action | None:
    """Give what Retain Device Identity makes of an attribute, if it is one."""
    if tag not in DEVICE_IDENTITY:
        return None
    return Action.ITEMS if vr_of(tag) == "SQ" else Action.KEEP
