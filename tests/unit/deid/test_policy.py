"""What a lake without identifiers writes of decoded rows: kept, hashed, dropped; raw bytes and swallowed texts."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest
from pydicom.dataset import Dataset

from crawler.attributes import Told, resolve
from crawler.columns import CATALOGUE, schema
from crawler.decode.decode import decode
from crawler.deid.policy import Policy
from crawler.deid.pseudonyms import Pseudonyms
from crawler.model import Coverage, Identifiers, Level, Window, WindowState
from crawler.phi import NEEDED, Rules, Treatment
from tests.property.lake.answers import answers

KEEP, HASH, DROP = Treatment
CODES = Pseudonyms(bytes(range(32)))
STUDY: dict[str, Any] = {
    "StudyInstanceUID": "1.2",
    "StudyDate": date(2024, 1, 31),
    "AccessionNumber": "A7",
    "PatientName": "Doe^Jane",
    "patient_family_name": "Doe",
    "patient_given_name": "Jane",
    "PatientID": "4711 ",
    "PatientBirthDate": date(1970, 12, 31),
    "PatientSex": "F",
    "StudyDescription": "Thorax",
}


def kept(rules: Rules, row: dict[str, Any], level: Level = Level.STUDY) -> dict[str, Any]:
    made = Policy(rules, CODES).apply(level, answers(level, [row]))
    assert made.schema == answers(level, []).schema
    (found,) = made.to_pylist()
    return {name: value for name, value in found.items() if value not in (None, [])}


def test_direct_ones_are_hashed_and_what_has_no_code_is_dropped() -> None:
    assert kept(Rules(), STUDY) == {
        "StudyInstanceUID": "1.2",
        "StudyDate": date(2024, 1, 31),
        "AccessionNumber": CODES.code("AccessionNumber", "A7"),
        "PatientName": CODES.code("PatientName", "Doe^Jane"),
        "PatientID": CODES.patient("4711"),
        "PatientSex": "F",
        "StudyDescription": "Thorax",
    }


def test_dropping_leaves_the_keys_and_what_a_pacs_is_asked_by() -> None:
    found = kept(Rules(DROP, DROP), STUDY)
    assert found == {
        "StudyInstanceUID": "1.2",
        "StudyDate": date(2024, 1, 31),
        "PatientID": CODES.patient("4711"),
    }


def test_single_columns_overrule_their_class() -> None:
    chosen = Rules(DROP, KEEP, {"PatientID": KEEP, "StudyDescription": HASH, "PatientBirthDate": KEEP})
    found = kept(chosen, STUDY)
    assert found["PatientID"] == "4711 "
    assert found["PatientBirthDate"] == date(1970, 12, 31)
    assert found["StudyDescription"] == CODES.code("StudyDescription", "Thorax")


@pytest.mark.parametrize("value", [None, ""])
def test_what_is_absent_or_empty_stays_so(value: str | None) -> None:
    found = Policy(Rules(), CODES).apply(Level.STUDY, answers(Level.STUDY, [{**STUDY, "PatientID": value}]))
    assert found["PatientID"].to_pylist() == [value]


def test_bytes_stay_only_of_what_is_kept_and_only_texts() -> None:
    raw = [
        {"tag": "00100010", "value": b"Doe^Jane"},
        {"tag": "00081030", "value": "Schädel".encode("latin-1")},
        {"tag": "00080030", "value": b"0930\x10\x00\x10\x00\x08\x00\x00\x00Doe^Jane"},
        {"tag": "00000000", "value": b"Doe"},
        {"tag": "00081030", "value": b"padded\0"},
        {"tag": "00080020", "value": b"Doe^Jane"},
    ]
    both = Policy(Rules(), CODES).apply(Level.STUDY, answers(Level.STUDY, [{**STUDY, "raw": raw}, STUDY, STUDY]))
    assert both["raw"].to_pylist()[0] == [raw[1], raw[4]]
    assert both["raw"].null_count + both["raw"].to_pylist().count([]) == 2


def test_a_text_that_swallowed_its_neighbours_is_dropped() -> None:
    header = b"\x08\x00\x30\x10" + (60).to_bytes(4, "little")
    swallowed = header + b"CT\x10\x00\x10\x00\x08\x00\x00\x00Doe^Jane".ljust(60)
    uid = b"\x20\x00\x0d\x00\x04\x00\x00\x001.2\0"
    rows = decode(Identifiers.of([swallowed + uid]), Level.STUDY)
    assert "Doe" in rows["StudyDescription"][0].as_py()
    made = Policy(Rules(), CODES).apply(Level.STUDY, rows)
    assert made["StudyDescription"].to_pylist() == [None]
    assert made["StudyInstanceUID"].to_pylist() == ["1.2"]


def test_a_worklist_item_is_known_by_the_code_of_its_step() -> None:
    step = Dataset()
    step.ScheduledProcedureStepID, step.ScheduledPerformingPhysicianName = "SPS9", "Moe^Mary"
    item = Dataset()
    item.StudyInstanceUID, item.ScheduledProcedureStepSequence = "1.2", [step]
    encoded = _encoded(item)
    for rules in (Rules(), Rules(DROP)):
        rows = decode(Identifiers.of([encoded]), Level.WORKLIST)
        made = Policy(rules, CODES).apply(Level.WORKLIST, rows)
        assert made["worklist_item"].to_pylist() == ["1.2 " + CODES.code("ScheduledProcedureStepID", "SPS9")]
        assert made["ScheduledProcedureStepSequence"].to_pylist() == [None]


def test_lists_are_hashed_value_by_value() -> None:
    alerts = {"StudyInstanceUID": "1.2", "MedicalAlerts": ["PACEMAKER", ""], "worklist_item": "1.2 "}
    found = kept(Rules(columns={"MedicalAlerts": HASH}), alerts, Level.WORKLIST)
    assert found["MedicalAlerts"] == [CODES.code("MedicalAlerts", "PACEMAKER"), ""]


def test_added_attributes_go_by_their_class() -> None:
    secret = resolve(Told("0019,1010", name="secret", creator="ACME", vr="LO"), Level.STUDY)
    plain = resolve(Told("PatientAge"), Level.STUDY)
    rows = pa.Table.from_pylist([{"secret": "x", "PatientAge": "040Y"}], schema(Level.STUDY, (plain, secret)))
    made = Policy(Rules(), CODES).apply(Level.STUDY, rows, (plain, secret))
    assert made["secret"].to_pylist() == [CODES.code("secret", "x")]
    assert made["PatientAge"].to_pylist() == ["040Y"]


def test_the_ledger_has_no_beginnings_of_patient_ids() -> None:
    policy = Policy(Rules(), CODES)
    short, long = (
        Coverage("main", Level.STUDY, Window(key=f"ModalitiesInStudy=CT&PatientID={begins}"), *_SETTLED)
        for begins in ("7*", "4711*")
    )
    assert policy.coverage(short) == short
    key = policy.coverage(long).window.key
    assert key == f"ModalitiesInStudy=CT&PatientID={CODES.code('beginning', '4711*')}"
    assert Policy(Rules(columns={"PatientID": KEEP}), CODES).coverage(long) == long


def test_columns_of_files_go_by_the_same_rules() -> None:
    files = pa.table({"SOPInstanceUID": ["1.2.3"], "Modality": ["CT"], "path": ["a/b"]})
    made = Policy(Rules(columns={"Modality": DROP, "ImageType": DROP}), CODES).of_files(files)
    assert made.to_pylist() == [{"SOPInstanceUID": "1.2.3", "Modality": None, "path": "a/b"}]


def test_many_codes_at_once_are_the_same_codes() -> None:
    values = ["A7", " A7", "", "Żółć", "A7\0", "x" * 200, "x" * 64]
    assert CODES.codes("AccessionNumber", values) == [CODES.code("AccessionNumber", value) for value in values]
    assert CODES.patients(values) == [CODES.patient(value) if value else "" for value in values]
    assert CODES.codes("AccessionNumber", []) == []


def test_every_needed_column_is_one_of_the_catalogue() -> None:
    assert {key.keyword for keys in CATALOGUE.values() for key in keys} >= NEEDED


_SETTLED = (WindowState.COMPLETE, 1, "s1", datetime(2024, 1, 31, tzinfo=UTC), 1)


def _encoded(dataset: Dataset) -> bytes:
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset

    file = DicomBytesIO()
    file.is_little_endian, file.is_implicit_VR = True, True
    write_dataset(file, dataset)
    return bytes(file.getvalue())
