"""Attributes that users add, asked of a real Orthanc: plain, in a sequence, several values, private."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file

from crawler.attributes import Told, resolve, with_blocks
from crawler.columns import Attribute
from crawler.decode import decode
from crawler.model import AETitle, Identifiers, Level, Model, Peer
from crawler.pacs.association import Association
from crawler.pacs.identifier import Query
from crawler.pacs.profile import Profile, attributes
from tests.integration.real_pacs import orthanc

TOLD = {
    Level.STUDY: (Told("PatientComments"),),
    Level.SERIES: (
        Told("OperatorsName"),
        Told("RequestAttributesSequence.ScheduledProcedureStepID", name="step"),
        Told("0019,xx0c", name="b_value", creator="SIEMENS MR HEADER", vr="IS"),
    ),
}
ADDED = with_blocks((level, resolve(told, level)) for level, many in TOLD.items() for told in many)


def file_of_a_series(folder: Path) -> Path:
    dataset = dcmread(str(get_testdata_file("MR_small.dcm")))
    dataset.PatientComments, dataset.OperatorsName = "Ängstlich", ["Roe^Ann", "Doe^Jim"]
    dataset.SpecificCharacterSet = "ISO_IR 192"
    steps = [Dataset(), Dataset()]
    for number, step in enumerate(steps):
        step.ScheduledProcedureStepID = f"SPS{number}"
    dataset.RequestAttributesSequence = steps
    dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x0C, "IS", "800")
    dataset.save_as(folder / "series.dcm")
    return folder / "series.dcm"


async def rows_of(port: int, level: Level, above: dict[str, str]) -> list[dict[str, object]]:
    peer = Peer("orthanc", "127.0.0.1", port, AETitle("ORTHANC"), AETitle("PACSLAKE"))
    wanted: tuple[Attribute, ...] = tuple(key for at, key in ADDED if at is level)
    query = Query(Model.STUDY_ROOT, level, above, attributes(Profile(added=ADDED), level))
    association = await Association.open(peer, [Model.STUDY_ROOT])
    batches: list[Identifiers] = [batch async for batch in association.find(query)]
    await association.release()
    rows: list[dict[str, object]] = decode(Identifiers.joined(batches), level, added=wanted).to_pylist()
    return rows


def test_orthanc_answers_for_added_attributes(orthanc_binary: Path, tmp_path: Path) -> None:
    with orthanc(orthanc_binary, tmp_path, [file_of_a_series(tmp_path)]) as port:
        (study,) = asyncio.run(rows_of(port, Level.STUDY, {}))
        (series,) = asyncio.run(rows_of(port, Level.SERIES, {"StudyInstanceUID": str(study["StudyInstanceUID"])}))
    assert study["PatientComments"] == "Ängstlich"
    assert series["OperatorsName"] == ["Roe^Ann", "Doe^Jim"]
    assert series["step"] == ["SPS0", "SPS1"]
    assert series["b_value"] == 800
