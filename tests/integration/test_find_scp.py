"""The lake as a C-FIND SCP: what it answers, what it refuses and with which words, and how it follows the lake."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pynetdicom.association import Association
from pynetdicom.dsutils import encode

from crawler.lake.audit import AuditLog
from crawler.lake.upkeep import Wanted, maintain
from crawler.lake.writer import LakeWriter
from crawler.model import Level, Model
from crawler.serve.find.answering import LakeAnswers
from crawler.serve.find.question import Granted, Reader
from crawler.serve.find.scp import Allowance, Allowances
from crawler.testing.archive import Archive
from crawler.testing.quirks import Quirks
from crawler.testing.simulator import Simulator, running
from tests.integration.finding import Told, answering, archived, calling, decoded, find, identifier, lake_of

ARCHIVE = Archive(40, date(2024, 3, 1), date(2024, 3, 4), seed=3, undated=2, series_per_study=2)
STUDIES = ARCHIVE.table(Level.STUDY).to_pylist()
ROOT, PATIENTS = Model.STUDY_ROOT, Model.PATIENT_ROOT


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lake_of(tmp_path_factory.mktemp("found"), {"main": archived(ARCHIVE)})


@pytest.fixture(scope="module")
def port(lake: Path) -> Iterator[int]:
    with answering(lake, {"main": "SIMPACS"}) as port:
        yield port


@pytest.fixture(scope="module")
def ours(port: int) -> Iterator[Association]:
    with calling(port, flags=b"\1") as assoc:
        yield assoc


@pytest.fixture(scope="module")
def theirs() -> Iterator[Association]:
    """Call a simulated PACS of the same archive, which matches in another way."""
    with running(Simulator(ARCHIVE, quirks=Quirks(relational=True))) as pacs, calling(pacs.port, flags=b"\1") as assoc:
        yield assoc


def some(keyword: str) -> st.SearchStrategy[str]:
    """Give values of studies, and what is made of them by wildcards."""
    texts = sorted({text for row in STUDIES if (text := row[keyword]) and text.isascii()})
    cuts = st.tuples(st.sampled_from(texts), st.integers(0, 6))
    return st.one_of(
        st.sampled_from(["", "*"]),
        st.sampled_from(texts),
        cuts.map(lambda cut: cut[0][: cut[1]] + "*"),
        cuts.map(lambda cut: "*" + cut[0][cut[1] :].replace("a", "?")),
    )


DAYS = st.sampled_from(("", "20240302", "20240301-20240302", "-20240302", "20240303-", "20240101-20240201"))
HOURS = st.sampled_from(("", "10", "0900-1130", "-1000", "143000-", "100000-110000.5"))
KEYS = st.fixed_dictionaries(
    {},
    optional={
        "StudyDate": DAYS,
        "StudyTime": HOURS,
        "PatientID": some("PatientID"),
        "PatientName": some("PatientName").map(str.upper),
        "AccessionNumber": some("AccessionNumber"),
        "StudyDescription": some("StudyDescription"),
        "ModalitiesInStudy": st.sampled_from(("", "CT", "M?", ["CT", "MR"])),
        "PatientSex": st.sampled_from(("", "M")),
        "NumberOfStudyRelatedSeries": st.sampled_from(("", "2")),
    },
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(KEYS)
def test_studies_are_those_that_a_pacs_of_the_same_would_find(
    ours: Association, theirs: Association, keys: dict[str, object]
) -> None:
    asked = identifier(Level.STUDY, **{"StudyInstanceUID": "", **keys})
    found, expected = find(ours, ROOT, asked), find(theirs, ROOT, asked)
    assert (found.status, expected.status) == (0, 0)
    assert told(found) == told(expected)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([Level.SERIES, Level.IMAGE]), DAYS, st.sampled_from(["", "CT", "*R"]))
def test_relational_queries_find_by_the_studies(
    ours: Association, theirs: Association, level: Level, days: str, modality: str
) -> None:
    keys = (
        {"Modality": modality, "SeriesNumber": ""} if level is Level.SERIES else {"InstanceNumber": "1", "Rows": None}
    )
    asked = identifier(level, StudyDate=days, StudyInstanceUID="", **{level.unique_key: ""}, **keys)
    found, expected = find(ours, ROOT, asked), find(theirs, ROOT, asked)
    for row in found.rows:
        del row.StudyDate  # which the simulated PACS does not return with a series
    assert told(found) == told(expected)


def told(answer: Told) -> set[str]:
    """Give the rows in words, without what the two may say differently."""
    for row in answer.rows:
        for keyword in ("SpecificCharacterSet", "RetrieveAETitle"):
            if keyword in row:
                del row[keyword]
    return {"\n".join(f"{one.keyword} {one.VR} {one.value}" for one in row) for row in answer.rows}


def test_each_level_of_patient_root_goes_by_the_keys_above(port: int) -> None:
    one = STUDIES[5]
    keys = {"PatientID": one["PatientID"]}
    with calling(port) as assoc:
        [patient] = find(assoc, PATIENTS, identifier(Level.PATIENT, PatientName="", **keys)).rows
        assert str(patient.PatientName) == one["PatientName"]
        studies = find(assoc, PATIENTS, identifier(Level.STUDY, StudyInstanceUID="", **keys)).rows
        assert one["StudyInstanceUID"] in {row.StudyInstanceUID for row in studies}
        keys["StudyInstanceUID"] = one["StudyInstanceUID"]
        series = find(assoc, PATIENTS, identifier(Level.SERIES, SeriesInstanceUID="", Modality="", **keys)).rows
        assert len(series) == one["NumberOfStudyRelatedSeries"]
        assert {row.PatientID for row in series} == {one["PatientID"]}
        keys["SeriesInstanceUID"] = series[0].SeriesInstanceUID
        images = find(assoc, PATIENTS, identifier(Level.IMAGE, SOPInstanceUID="", SOPClassUID="", **keys))
        assert (bool(images.rows), set(images.pending)) == (True, {0xFF00})


@pytest.mark.parametrize(
    ("model", "asked", "status", "comment"),
    [
        (
            ROOT,
            identifier(Level.PATIENT, PatientID=""),
            0xA900,
            "QueryRetrieveLevel must be one of STUDY, SERIES, IMAGE",
        ),
        (
            ROOT,
            identifier(Level.WORKLIST, PatientID="1"),
            0xA900,
            "QueryRetrieveLevel must be one of STUDY, SERIES, IMAGE",
        ),
        (ROOT, identifier(Level.SERIES, Modality="CT"), 0xA900, "StudyInstanceUID must have a value at this level"),
        (PATIENTS, identifier(Level.STUDY, StudyDate=""), 0xA900, "PatientID must have a value at this level"),
        (
            Model.PATIENT_STUDY_ONLY,
            identifier(Level.SERIES),
            0xA900,
            "QueryRetrieveLevel must be one of PATIENT, STUDY",
        ),
        (ROOT, identifier(Level.STUDY, StudyTime="25"), 0xC000, "a time in a key is HHMMSS.FFFFFF or its beginning"),
        (ROOT, identifier(Level.STUDY, StudyTime="-"), 0xC000, "a range has at least one end"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_the_reason(
    port: int, model: Model, asked: Dataset, status: int, comment: str
) -> None:
    with calling(port) as assoc:
        answer = find(assoc, model, asked)
    assert (answer.status, answer.rows) == (status, [])
    assert answer.comment.startswith(comment[:60])


def test_what_the_lake_has_no_column_for_comes_back_empty_and_is_said(port: int) -> None:
    asked = identifier(Level.STUDY, StudyInstanceUID=STUDIES[0]["StudyInstanceUID"], PatientWeight="70", PatientSex="")
    asked.RequestAttributesSequence = [Dataset()]
    asked.RequestAttributesSequence[0].ScheduledProcedureStepID = ""
    with calling(port) as assoc:
        answer = find(assoc, ROOT, asked)
    [row] = answer.rows
    assert answer.pending == {0xFF01}
    assert (row.PatientWeight, row.PatientSex) == (None, STUDIES[0]["PatientSex"])
    assert not row.RequestAttributesSequence[0].ScheduledProcedureStepID


def test_date_and_time_are_one_range_where_that_was_agreed_on(port: int) -> None:
    asked = identifier(Level.STUDY, StudyInstanceUID="", StudyDate="20240301-20240303", StudyTime="110000-100000")
    with calling(port) as apart, calling(port, flags=b"\0\1") as together:
        assert not find(apart, ROOT, asked).rows
        found = {row.StudyInstanceUID for row in find(together, ROOT, asked).rows}
    moments = {
        row["StudyInstanceUID"]: datetime.combine(row["StudyDate"], row["StudyTime"] or time())
        for row in STUDIES
        if row["StudyDate"]
    }
    first, last = datetime(2024, 3, 1, 11), datetime(2024, 3, 3, 10)
    assert found == {uid for uid, moment in moments.items() if first <= moment <= last}
    assert 0 < len(found) < len(moments)


def test_answers_name_their_pacs_and_their_moment(port: int) -> None:
    with calling(port) as assoc:
        answer = find(assoc, ROOT, identifier(Level.STUDY, StudyInstanceUID=""))
    assert {row.RetrieveAETitle for row in answer.rows} == {"SIMPACS"}
    assert len(answer.rows) == ARCHIVE.total


def test_character_sets_are_the_asked_one_or_utf8(tmp_path: Path) -> None:
    names = ["Müller^Jörg", "Yamada^Tarou=山田^太郎=やだ^たろう", "Doe^Jane"]
    uids = [f"1.2.{number}" for number in range(3)]
    studies = pa.table({"StudyInstanceUID": uids, "PatientName": names})
    with answering(lake_of(tmp_path, {"main": {Level.STUDY: studies}}), {"main": "A"}) as port, calling(port) as assoc:

        def asked(charset: str, name: str) -> list[tuple[str, str]]:
            question = identifier(Level.STUDY, StudyInstanceUID="", PatientName=name)
            if charset:
                question.SpecificCharacterSet = charset.split("\\")
            rows = find(assoc, ROOT, question).rows
            return [(str(row[0x00080005].value), str(row.PatientName)) for row in rows]

        assert asked("ISO_IR 100", "MÜLLER*") == [("ISO_IR 100", names[0])]
        assert asked("", "*") == [("ISO_IR 192", name) for name in names]
        assert asked("ISO_IR 100", "Yamada*") == [("ISO_IR 192", names[1])]
        assert asked("\\ISO 2022 IR 87", "山田^太郎") == [("['', 'ISO 2022 IR 87']", names[1])]
        assert asked("ISO_IR 192", "やだ*") == [("ISO_IR 192", names[1])]


def test_a_study_of_two_pacs_comes_once_and_names_both(tmp_path: Path) -> None:
    lake = lake_of(
        tmp_path,
        {
            "main": {Level.STUDY: pa.table({"StudyInstanceUID": ["1.1", "1.2"], "PatientID": ["a", "b"]})},
            "other": {Level.STUDY: pa.table({"StudyInstanceUID": ["1.2", "1.3"], "PatientID": ["b", "c"]})},
        },
    )
    with answering(lake, {"main": "MAIN", "other": "OTHER"}) as port, calling(port) as assoc:
        rows = find(assoc, ROOT, identifier(Level.STUDY, StudyInstanceUID="")).rows
        assert sorted((row.StudyInstanceUID, row.RetrieveAETitle) for row in rows if row.StudyInstanceUID != "1.2") == [
            ("1.1", "MAIN"),
            ("1.3", "OTHER"),
        ]
        [both] = find(assoc, ROOT, identifier(Level.STUDY, StudyInstanceUID="1.2")).rows
        assert list(both.RetrieveAETitle) == ["MAIN", "OTHER"]
    with answering(lake, {"other": "OTHER"}) as port, calling(port) as assoc:
        rows = find(assoc, ROOT, identifier(Level.STUDY, StudyInstanceUID="")).rows
        assert {row.StudyInstanceUID for row in rows} == {"1.2", "1.3"}


def test_a_worklist_is_matched_and_answered_in_its_sequences(tmp_path: Path) -> None:
    items = pa.table(
        {
            "StudyInstanceUID": ["1.1", "1.2"],
            "PatientName": ["Doe^Jane", "Roe^Richard"],
            "Modality": ["CT", "MR"],
            "ScheduledStationAETitle": [["CT01", "CT02"], ["MR01"]],
            "ScheduledProcedureStepStartDate": pa.array([date(2026, 3, 1), date(2026, 3, 2)]),
            "ScheduledProcedureStepID": ["S1", "S2"],
            "RequestedProcedureCodeSequence_CodeValue": [["A", "B"], None],
            "RequestedProcedureCodeSequence_CodeMeaning": [["first", None], None],
            "worklist_item": ["1.1 S1", "1.2 S2"],
        }
    )
    asked = identifier(Level.WORKLIST, PatientName="")
    step, code = Dataset(), Dataset()
    step.Modality, step.ScheduledStationAETitle, step.ScheduledProcedureStepStartDate = "", "CT02", "20260301-20260302"
    step.ScheduledProcedureStepStatus = ""
    code.CodeValue, code.CodeMeaning = "", ""
    asked.ScheduledProcedureStepSequence, asked.RequestedProcedureCodeSequence = [step], [code]
    lake = lake_of(tmp_path, {"ris": {Level.WORKLIST: items}})
    with answering(lake, {"ris": "RIS"}) as port, calling(port) as assoc:
        answer = find(assoc, Model.WORKLIST, asked)
        [row] = answer.rows
        [step] = row.ScheduledProcedureStepSequence
        assert (row.PatientName, step.Modality, step.ScheduledProcedureStepStartDate) == ("Doe^Jane", "CT", "20260301")
        assert list(step.ScheduledStationAETitle) == ["CT01", "CT02"]
        assert [(one.CodeValue, one.CodeMeaning) for one in row.RequestedProcedureCodeSequence] == [
            ("A", "first"),
            ("B", ""),
        ]
        assert "QueryRetrieveLevel" not in row
        asked.ScheduledProcedureStepSequence[0].ScheduledStationAETitle = "MR01"
        [row] = find(assoc, Model.WORKLIST, asked).rows
        assert not row.RequestedProcedureCodeSequence


def test_limits_go_by_the_calling_ae_title(lake: Path) -> None:
    allowances = Allowances(of={"FEW": Allowance(rows=7), "RARELY": Allowance(queries_per_minute=2)})
    asked = identifier(Level.STUDY, StudyInstanceUID="")
    with answering(lake, {"main": "SIMPACS"}, allowances=allowances) as port:
        with calling(port, calling_ae="FEW") as assoc:
            answer = find(assoc, ROOT, asked)
            assert (answer.status, len(answer.rows)) == (0xA700, 7)
            assert answer.comment == "more than 7 answers, the limit for this AE title"
            few = identifier(Level.STUDY, StudyInstanceUID=STUDIES[0]["StudyInstanceUID"])
            assert find(assoc, ROOT, few).status == 0
        with calling(port, calling_ae="RARELY") as assoc:
            assert [find(assoc, ROOT, asked).status for _ in range(3)] == [0, 0, 0xA700]
        with calling(port) as assoc:
            assert find(assoc, ROOT, asked).status == 0


def test_a_cancel_ends_the_answer(tmp_path: Path, dcmtk_tool: Callable[[str], Path]) -> None:
    many = pa.table({"StudyInstanceUID": [f"1.2.{number}" for number in range(200_000)]})
    lake = lake_of(tmp_path, {"main": {Level.STUDY: many}})
    with answering(lake, {"main": "A"}) as port:
        command = [str(dcmtk_tool("findscu")), "-v", "-S", "-aec", "PACSLAKE", "127.0.0.1", str(port), "--cancel", "10"]
        keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID"]
        said = subprocess.run([*command, *keys], capture_output=True, text=True, check=True)
        assert "MatchingTerminatedDueToCancelRequest" in said.stdout + said.stderr
        with calling(port) as assoc:
            assert find(assoc, ROOT, identifier(Level.STUDY, StudyInstanceUID="1.2.7")).status == 0


def test_every_query_is_in_the_audit_without_a_value(tmp_path: Path) -> None:
    studies = pa.table({"StudyInstanceUID": ["1.1"], "PatientID": ["secret"]})
    lake = lake_of(tmp_path, {"main": {Level.STUDY: studies}})
    with answering(lake, {"main": "A"}) as port, calling(port) as assoc:
        find(assoc, ROOT, identifier(Level.STUDY, PatientID="secret", StudyInstanceUID=""))
    [line] = AuditLog(lake).entries()
    assert (line["person"], line["action"], line["what"]) == ("ASKER", "find", "C-FIND STUDY: PatientID")
    assert line["phi_columns"] == ["PatientID", "StudyInstanceUID"]
    assert "secret" not in str(line)


def test_new_commits_are_followed_and_the_copy_by_days_with_them(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, {"main": {Level.STUDY: studies_of("1.1 1.2 1.3", "a b c")}})
    answers = LakeAnswers(lake, {"main": "A"})
    asked = identifier(Level.STUDY, StudyInstanceUID="", PatientID="")
    assert found(answers, asked) == {"1.1": "a", "1.2": "b", "1.3": "c"}
    assert answers.refresh()
    assert not answers.refresh()
    assert found(answers, asked) == {"1.1": "a", "1.2": "b", "1.3": "c"}
    with LakeWriter.open(lake) as writer:
        writer.stage(Level.STUDY, "main", "s2", decoded(Level.STUDY, studies_of("1.2 1.4", "B d")))
        writer.commit()
    assert answers.refresh()
    assert found(answers, asked) == {"1.1": "a", "1.2": "B", "1.3": "c", "1.4": "d"}
    with LakeWriter.open(lake) as writer:
        maintain(writer, Wanted())
    assert answers.refresh()
    assert found(answers, asked) == {"1.1": "a", "1.2": "B", "1.3": "c", "1.4": "d"}
    assert list((lake / "by-day").iterdir())
    answers.close()
    assert not list((lake / "by-day").iterdir())


def studies_of(uids: str, patients: str) -> pa.Table:
    return pa.table({"StudyInstanceUID": uids.split(), "PatientID": patients.split()})


def found(answers: LakeAnswers, asked: Dataset) -> dict[str, str]:
    """Ask for studies, and give their patients."""
    encoded = encode(asked, is_implicit_vr=True, is_little_endian=True) or b""
    question = Reader({}).read(encoded, explicit_vr=False, model=ROOT, granted=Granted())
    answer = answers.ask(question, explicit_vr=False)
    rows = [read_dataset(BytesIO(row), True, True) for batch in answer.batches() for row in batch.to_pylist()]
    answer.close()
    return {row.StudyInstanceUID: row.PatientID for row in rows}
