"""Whatever bytes a caller sends as an identifier, it is a question or a refusal with a reason."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from crawler.model import Level, Model
from crawler.serve.find.question import BadQuestionError, Granted, Reader
from crawler.serve.find.statement import Shown, statement
from tests.integration.finding import identifier


def encoded(explicit_vr: bool) -> bytes:
    dataset = identifier(Level.STUDY, PatientName="Doe*", StudyDate="20240101-", ModalitiesInStudy=["CT", "MR"])
    step = Dataset()
    step.Modality, step.ScheduledProcedureStepStartDate = "CT", ""
    dataset.ScheduledProcedureStepSequence, dataset.SpecificCharacterSet = [step], "ISO_IR 100"
    written = DicomBytesIO()
    written.is_little_endian, written.is_implicit_VR = True, not explicit_vr
    write_dataset(written, dataset)
    return written.getvalue()


WHOLE = {explicit_vr: encoded(explicit_vr) for explicit_vr in (False, True)}
CHANGES = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=4)


@given(st.booleans(), CHANGES, st.integers(0, 400), st.sampled_from(list(Model)))
def test_changed_bytes_are_understood_or_refused(
    explicit_vr: bool, changes: list[tuple[int, int]], cut: int, model: Model
) -> None:
    data = bytearray(WHOLE[explicit_vr])
    for at, value in changes:
        data[at % len(data)] = value
    asked(bytes(data[: len(data) - cut % len(data)]), explicit_vr, model)


@given(st.binary(max_size=200), st.booleans(), st.sampled_from(list(Model)))
def test_any_bytes_are_understood_or_refused(data: bytes, explicit_vr: bool, model: Model) -> None:
    asked(data, explicit_vr, model)


def asked(data: bytes, explicit_vr: bool, model: Model) -> None:
    with suppress(BadQuestionError):
        question = Reader({}).read(data, explicit_vr=explicit_vr, model=model, granted=Granted(combined=True))
        statement(question, Shown(("main",)))
