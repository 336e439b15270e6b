"""What the engine makes of a dataset, attribute by attribute."""

from __future__ import annotations

import pickle
from io import BytesIO

import pydicom
import pytest
from pydicom import Dataset, FileDataset
from pydicom.data import get_testdata_file
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.tag import BaseTag
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from crawler.deid.engine import Engine
from crawler.deid.pseudonyms import Pseudonyms
from crawler.deid.recipe import Recipe, read_recipe

PSEUDONYMS = Pseudonyms(bytes(32))
PATIENT = "4711"
BASIC = read_recipe("basic")
RESEARCH = read_recipe("research")


def ct(**attributes: object) -> FileDataset:
    """Give a CT image with these attributes besides, as it is read from a file."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.StudyInstanceUID = CTImageStorage, "1.2.3", "1.2"
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = "Mueller^Anna", PATIENT, "19500615"
    dataset.StudyDate, dataset.StudyTime, dataset.Modality = "20240614", "101500", "CT"
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.SourceApplicationEntityTitle = "MUELLER"
    return reread(dataset)


def reread(dataset: Dataset) -> FileDataset:
    file = BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return pydicom.dcmread(BytesIO(file.getvalue()))


def deidentified(dataset: FileDataset, recipe: Recipe = RESEARCH) -> FileDataset:
    Engine(recipe, PSEUDONYMS).apply(dataset, PATIENT)
    return reread(dataset)


def item(**attributes: object) -> Dataset:
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def raw(tag: int, vr: str, value: bytes) -> RawDataElement:
    return RawDataElement(BaseTag(tag), vr, len(value), value, 0, False, True)


def test_a_patient_becomes_a_code_at_every_depth() -> None:
    nested = item(PatientID=PATIENT, PatientName="Mueller", RealWorldValueMappingSequence=[item(PatientID=PATIENT)])
    found = deidentified(ct(RealWorldValueMappingSequence=[nested]), BASIC)
    code = PSEUDONYMS.patient(PATIENT)
    inner = found.RealWorldValueMappingSequence[0]
    assert [found.PatientID, found.PatientName, inner.PatientID, inner.PatientName] == [code] * 4
    assert inner.RealWorldValueMappingSequence[0].PatientID == code
    assert found.PatientBirthDate == ""


def test_uids_are_replaced_alike_wherever_they_stand_and_those_of_the_standard_stay() -> None:
    reference = item(ReferencedSOPClassUID=CTImageStorage, ReferencedSOPInstanceUID="1.2.3")
    found = deidentified(ct(ReferencedImageSequence=[reference]))
    new = PSEUDONYMS.uid("1.2.3")
    assert found.SOPInstanceUID == found.file_meta.MediaStorageSOPInstanceUID == new
    assert found.ReferencedImageSequence[0].ReferencedSOPInstanceUID == new
    assert found.SOPClassUID == found.ReferencedImageSequence[0].ReferencedSOPClassUID == CTImageStorage


def test_the_basic_profile_leaves_no_date() -> None:
    found = deidentified(ct(SeriesDate="20240614", ContentDate="20240614", AcquisitionDateTime="20240614101500"), BASIC)
    assert "SeriesDate" not in found or found.SeriesDate == "19000101"
    assert (found.StudyDate, found.StudyTime) == ("", "")
    assert (found.ContentDate, found.AcquisitionDateTime) == ("19000101", "19000101000000")
    assert found.LongitudinalTemporalInformationModified == "REMOVED"


def test_dates_are_shifted_by_the_patients_days_and_times_stay() -> None:
    dates = {"SeriesDate": "20240616", "AcquisitionDateTime": "20240614101500.5+0100", "ContentDate": "20240615"}
    dataset = ct(**dates)
    dataset[0x0008_0023] = raw(0x0008_0023, "DA", b"no date ")
    found = deidentified(dataset)
    shift = PSEUDONYMS.days(PATIENT)
    days = [pydicom.valuerep.DA(found[keyword].value) for keyword in ("StudyDate", "SeriesDate")]
    assert (days[1] - days[0]).days == 2
    assert (days[0] - pydicom.valuerep.DA("20240614")).days == shift
    assert found.AcquisitionDateTime == found.StudyDate + "101500.5+0100"
    assert (found.StudyTime, found.ContentDate) == ("101500", "")
    assert found.LongitudinalTemporalInformationModified == "MODIFIED"


def test_dates_that_many_patients_share_are_not_shifted_since_they_would_tell_the_shift() -> None:
    code = item(CodeValue="T-D1213", CodingSchemeDesignator="SRT", CodeMeaning="Jaw", ContextGroupVersion="20240101")
    found = deidentified(ct(AnatomicRegionSequence=[code], DateOfLastCalibration="20240101"))
    assert found.AnatomicRegionSequence[0].ContextGroupVersion == "19000101000000"
    assert found.AnatomicRegionSequence[0].CodeMeaning == "Jaw"
    assert "DateOfLastCalibration" not in found


@pytest.mark.parametrize(
    ("age", "birth", "new"),
    [
        ("045Y", "19500615", "045Y"),
        ("095Y", "19290101", "090Y"),
        (None, "19500615", "073Y"),
        (None, "19290101", "090Y"),
    ],
)
def test_an_age_is_kept_or_worked_out(age: str | None, birth: str, new: str) -> None:
    given = {"PatientAge": age} if age else {}
    found = deidentified(ct(PatientBirthDate=birth, PatientSex="F", PatientSize="1.7", **given))
    assert (found.PatientAge, found.PatientSex, found.PatientSize) == (new, "F", 1.7)
    assert "PatientAge" not in deidentified(ct(PatientBirthDate=birth, **given), BASIC)


def test_numbers_become_codes_or_nothing() -> None:
    found = deidentified(ct(AccessionNumber="A-2024-17", StudyID="7"))
    assert found.AccessionNumber == PSEUDONYMS.code("AccessionNumber", "A-2024-17")
    assert found.StudyID == PSEUDONYMS.code("StudyID", "7")
    found = deidentified(ct(AccessionNumber="A-2024-17", StudyID="7"), BASIC)
    assert (found.AccessionNumber, found.StudyID) == ("", "")


def test_a_number_beyond_ascii_gets_the_code_of_its_text() -> None:
    found = deidentified(ct(SpecificCharacterSet="ISO_IR 192", AccessionNumber="Ä-17"))
    assert found.AccessionNumber == PSEUDONYMS.code("AccessionNumber", "Ä-17")


@pytest.mark.parametrize("charset", ["ISO_IR 100", "ISO_IR 192", "ISO_IR 144"])
def test_what_stays_is_read_as_before(charset: str) -> None:
    maker = {"ISO_IR 144": "Рентген"}.get(charset, "Gerät")
    found = deidentified(ct(SpecificCharacterSet=charset, Manufacturer=maker))
    assert (found.SpecificCharacterSet, found.Manufacturer) == (charset, maker)


def test_devices_are_kept_by_their_option_alone() -> None:
    given = {"StationName": "CT1", "DeviceSerialNumber": "42", "StationAETitle": "CT1AE", "ManufacturerModelName": "X"}
    found = deidentified(ct(**given))
    assert (found.StationName, found.DeviceSerialNumber) == ("CT1", "42")
    assert "StationAETitle" not in found
    found = deidentified(ct(**given), BASIC)
    assert (found.StationName, found.DeviceSerialNumber, found.ManufacturerModelName) == ("REMOVED", "REMOVED", "X")


def test_free_text_stays_only_where_the_recipe_says_so() -> None:
    texts = {"StudyDescription": "Dr. Mueller", "SegmentDescription": "hers", "DoseComment": "his"}
    found = deidentified(ct(**texts))
    assert "StudyDescription" not in found
    assert (found.SegmentDescription, found.DoseComment) == ("REMOVED", "REMOVED")
    own = Recipe.model_validate(
        {
            "name": "own",
            "version": "1",
            "attributes": {
                "keep": ["StudyDescription", "PatientAge"],
                "remove": ["Modality"],
                "empty": ["Manufacturer"],
                "replace": {"InstitutionName": "Site A"},
            },
        }
    )
    texts = {"StudyDescription": "Thorax", "Manufacturer": "M", "InstitutionName": "Hospital", "PatientAge": "095Y"}
    found = deidentified(ct(**texts), own)
    assert (found.StudyDescription, found.Manufacturer, found.InstitutionName) == ("Thorax", "", "Site A")
    assert found.PatientAge == "090Y"
    assert "Modality" not in found
    assert "kept against the profile: StudyDescription" in found.DeidentificationMethod


def test_what_was_done_is_on_record_in_the_dataset() -> None:
    found = deidentified(ct(BurnedInAnnotation="NO"))
    assert (found.PatientIdentityRemoved, found.BurnedInAnnotation) == ("YES", "NO")
    assert found.DeidentificationMethod[1:] == ["recipe research 1", "PS3.15 2026c Basic Profile"]
    codes = [code.CodeValue for code in found.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113107", "113108", "113109", "113111", "113105"]
    assert {code.CodingSchemeDesignator for code in found.DeidentificationMethodCodeSequence} == {"DCM"}
    codes = [code.CodeValue for code in deidentified(ct(), BASIC).DeidentificationMethodCodeSequence]
    assert codes == ["113100"]


def test_counts_tell_what_was_done() -> None:
    dataset = ct(StudyDescription="Thorax", AccessionNumber="1")
    dataset.private_block(0x0009, "MUELLER", create=True).add_new(1, "LO", "Mueller")
    dataset[0x0010_0099] = RawDataElement(BaseTag(0x0010_0099), "LO", 8, b"Mueller ", 0, False, True)
    done = Engine(RESEARCH, PSEUDONYMS).apply(dataset, PATIENT)
    assert {str(action): count for action, count in done.items()} == {
        "removed": 1,
        "private removed": 2,
        "unknown removed": 1,
        "emptied": 1,
        "UID replaced": 2,
        "date shifted": 1,
        "time kept": 1,
        "replaced by code": 1,
        "patient replaced by code": 2,
    }


def test_file_meta_information_and_preamble_say_nothing_of_the_sender() -> None:
    dataset = ct()
    dataset.preamble = b"Mueller^Anna".ljust(128)
    Engine(BASIC, PSEUDONYMS).apply(dataset, PATIENT)
    assert dataset.preamble == bytes(128)
    assert "SourceApplicationEntityTitle" not in dataset.file_meta
    assert dataset.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian


IMPLICIT_ITEM = bytes.fromhex("feff00e0 10000000 10002000 08000000") + b"Mueller "
CHARGED_WITH = bytes.fromhex("feff00e0 10000000 0800 0401 4c4f 0800") + b"Mueller "


@pytest.mark.parametrize(
    "hidden",
    [
        raw(0x0040_9096, "UN", IMPLICIT_ITEM),
        raw(0x0040_9096, "SQ", b"Mueller no items at all "),
        raw(0x0040_9096, "LT", b"Mueller "),
        raw(0x0008_0060, "LT", b"Mueller "),
        raw(0x0008_0060, "SQ", CHARGED_WITH),
        raw(0x0008_0018, "SQ", CHARGED_WITH),
        raw(0x0008_0018, "UN", b"Mueller "),
        raw(0x0010_0010, "UN", b"Mueller "),
        raw(0xFFFC_FFFC, "OB", b"Mueller "),
        raw(0x0008_0001, "UL", b"Mueller "),
        raw(0x0010_0000, "UL", b"Mueller "),
        raw(0x6002_0022, "LO", b"Mueller "),
        raw(0x0010_0033, "LO", b"Mueller "),
        raw(0x0400_0500, "SQ", CHARGED_WITH),
        raw(0x0009_0001, "LO", b"Mueller "),
    ],
    ids=lambda element: f"{element.tag} {element.VR}",
)
def test_nothing_hides_behind_a_wrong_vr_or_an_odd_tag(hidden: RawDataElement) -> None:
    dataset = ct()
    dataset[hidden.tag] = hidden
    Engine(RESEARCH, PSEUDONYMS).apply(dataset, PATIENT)
    file = BytesIO()
    dataset.save_as(file)
    assert b"Mueller" not in file.getvalue()


def test_a_sequence_whose_vr_nobody_knew_stays_with_its_items_cleaned() -> None:
    dataset = ct()
    dataset[0x0040_9096] = raw(0x0040_9096, "UN", IMPLICIT_ITEM)
    found = deidentified(dataset)
    assert found.RealWorldValueMappingSequence[0].PatientID == PSEUDONYMS.patient(PATIENT)


def test_safe_private_attributes_stay_in_items_too() -> None:
    inner = item()
    inner.private_block(0x7053, "Philips PET Private Group", create=True).add_new(9, "DS", "1.5")
    dataset = ct(RealWorldValueMappingSequence=[inner])
    dataset.private_block(0x7053, "Philips PET Private Group", create=True).add_new(3, "ST", "mueller.img")
    found = deidentified(dataset)
    assert found.RealWorldValueMappingSequence[0][0x7053_1009].value == 1.5
    assert not [element.tag for element in found if element.tag.is_private]
    assert not [e for e in deidentified(ct(RealWorldValueMappingSequence=[inner]), BASIC).iterall() if e.tag.is_private]


def test_values_that_were_looked_at_before_are_treated_alike() -> None:
    plain, seen = ct(SeriesDate="20240616"), ct(SeriesDate="20240616")
    assert len(str(seen)) > 100
    assert deidentified(seen).to_json() == deidentified(plain).to_json()


def test_the_same_file_makes_the_same_bytes_and_leaves_nothing_to_the_next() -> None:
    path = get_testdata_file("CT_small.dcm")
    engine = pickle.loads(pickle.dumps(Engine(RESEARCH, PSEUDONYMS)))
    made = []
    for patient in ("one", "two", "one"):
        dataset = pydicom.dcmread(str(path))
        engine.apply(dataset, patient)
        file = BytesIO()
        dataset.save_as(file)
        made.append(file.getvalue())
    assert made[0] == made[2]
    assert PSEUDONYMS.patient("one").encode() not in made[1]


def test_a_second_time_removes_nothing_more() -> None:
    engine = Engine(RESEARCH, PSEUDONYMS)
    once = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    engine.apply(once, PATIENT)
    tags = sorted(once.keys())
    done = engine.apply(reread(once), PATIENT)
    assert not {"removed", "private removed", "unknown removed"} & set(done)
    twice = reread(once)
    engine.apply(twice, PATIENT)
    assert sorted(twice.keys()) == tags
