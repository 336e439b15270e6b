"""The examination of real and simulated PACS: each way of misbehaving is found, and nothing is found in good ones."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from crawler.decode.decode import decode
from crawler.model import AETitle, Level, Limits, Model, Peer
from crawler.pacs.check.examine import Examination, Plan
from crawler.pacs.check.verdict import Grade, Learned, Verdict
from crawler.pacs.profile import Profile
from crawler.testing.archive import Archive
from crawler.testing.quirks import Failure, OverCap, Quirks
from crawler.testing.simulator import Simulator, running
from tests.integration.calls import peer
from tests.integration.files import made_files
from tests.integration.real_pacs import dcmqrscp, orthanc

ARCHIVE = Archive(studies=1500, first=date(2024, 1, 1), last=date(2024, 6, 30), undated=3)
PLAN = Plan(Model.STUDY_ROOT, 2, date(2024, 7, 1), date(2024, 3, 5))
BROAD = replace(PLAN, broad=True)
MOST_QUERIES = 40

Report = dict[str, Verdict]


def examine(called: Peer, plan: Plan = PLAN) -> Report:
    async def run() -> Report:
        examination = Examination(called, plan, decode)
        found = [verdict for _, section in examination.sections async for verdict in section()]
        await examination.close()
        assert examination.queries <= MOST_QUERIES
        assert len({verdict.check for verdict in found}) == len(found)
        return {verdict.check: verdict for verdict in found}

    return asyncio.run(run())


def simulated(plan: Plan = PLAN, archive: Archive = ARCHIVE, limits: Limits | None = None, **quirks: Any) -> Report:
    with running(Simulator(archive, quirks=Quirks(**quirks))) as pacs:
        return examine(peer(pacs.port, limits=limits), plan)


def problems(report: Report) -> set[str]:
    return {check for check, verdict in report.items() if verdict.grade is Grade.PROBLEM}


def learned(report: Report) -> set[tuple[str, str]]:
    return {(one.name, one.value) for verdict in report.values() for one in verdict.learned}


def test_a_good_pacs_has_no_problems() -> None:
    report = simulated(BROAD)
    assert len(report) >= 30
    assert problems(report) == set()
    assert {("cap", "0"), ("one_query_per_association", "no"), ("exclusive_ends", "no")} <= learned(report)
    assert not any(value in ("ignored", "refused", "wrong") for _, value in learned(report))


@pytest.mark.parametrize(
    ("quirks", "checks", "finding"),
    [
        ({"ignores": frozenset({"StudyTime"})}, {"no_such_time"}, ("unsupported_key.StudyTime", "ignored")),
        ({"ignores": frozenset({"StudyDate"})}, {"no_such_day"}, ("unsupported_key.StudyDate", "ignored")),
        ({"ignores": frozenset({"*"})}, {"no_such_day"}, ("unsupported_key.StudyDate", "ignored")),
        ({"ignores": frozenset({"PatientID"})}, {"no_such_patient"}, ("unsupported_key.PatientID", "ignored")),
        ({"ignores": frozenset({"PatientName"})}, {"no_such_name"}, ("unsupported_key.PatientName", "ignored")),
        ({"ignores": frozenset({"StudyInstanceUID"})}, {"study_uid"}, ("uid_lists", "no")),
        (
            {"ignores_ranges": True},
            {"no_such_days", "time_range"},
            ("unsupported_key.StudyDate", "ignored"),
        ),
        (
            {"ignores": frozenset({"ModalitiesInStudy"})},
            set(),
            ("unsupported_key.ModalitiesInStudy", "ignored"),
        ),
        ({"exclusive_ends": True}, {"range_ends"}, ("exclusive_ends", "yes")),
        ({"undated_always": True}, set(), ("undated_in_ranges", "yes")),
        ({"duplicate_every": 2}, set(), ("duplicates", "yes")),
        ({"one_query": True}, set(), ("one_query_per_association", "yes")),
        ({"max_associations": 1}, {"at_once"}, ("associations_at_once", "1")),
        ({"omits": frozenset({"ModalitiesInStudy"})}, set(), ("absent_keys", "ModalitiesInStudy")),
        ({"explicit_vr": True, "max_pdu": 400, "unsolicited": True}, set(), ("exclusive_ends", "no")),
    ],
)
def test_a_quirk_is_found(quirks: dict[str, Any], checks: set[str], finding: tuple[str, str]) -> None:
    report = simulated(**quirks)
    assert problems(report) == checks
    assert finding in learned(report)


@pytest.mark.parametrize("over_cap", [OverCap.TRUNCATE, OverCap.WARN_B000])
def test_a_cap_is_found_when_everything_may_be_asked_for(over_cap: OverCap) -> None:
    report = simulated(BROAD, cap=137, over_cap=over_cap)
    assert problems(report) == {"cap"}
    assert report["cap"].learned == (Learned("cap", "137"),)
    assert simulated(cap=137, over_cap=over_cap)["cap"].grade is Grade.NOTE


def test_a_refusal_of_long_answers_is_noted() -> None:
    assert "0xA700" in simulated(BROAD, cap=137, over_cap=OverCap.REFUSE_A700)["cap"].text


@pytest.mark.parametrize("failure", list(Failure))
def test_a_pacs_that_breaks_off_is_examined_to_the_end(failure: Failure) -> None:
    began = time.monotonic()
    report = simulated(limits=Limits(idle_timeout=0.2), fails_after=2, failure=failure)
    assert problems(report) == {"whole_answers"}
    assert not {"refused", "ignored", "wrong"} & {value for _, value in learned(report)}
    assert time.monotonic() - began < 20


def test_orthanc_breaks_off_what_it_is_asked_by_whom_it_does_not_know(orthanc_binary: Path, tmp_path: Path) -> None:
    with orthanc(orthanc_binary, tmp_path, (), DicomAlwaysAllowFind=False) as port:
        report = examine(peer(port, "ORTHANC"))
    assert problems(report) == {"whole_answers"}
    assert report["whole_answers"].remedy.startswith("enter at the PACS: AE title ")
    assert "reuse" not in report


def test_keys_that_must_not_be_sent_are_not_asked_for() -> None:
    omit = frozenset(("PatientName", "StudyDescription"))
    report = simulated(replace(PLAN, profile=Profile(omit=omit, dates_only=True)))
    assert not {"no_such_name", "no_such_time", "time_range"} & set(report)
    assert "absent: StudyDescription, PatientName" in report["study_keys"].text
    assert problems(report) == set()


def test_without_a_day_nothing_broad_is_asked() -> None:
    with running(Simulator(ARCHIVE)) as pacs:
        report = examine(peer(pacs.port), replace(PLAN, day=None, today=date(2026, 1, 1)))
        assert pacs.counts.responses == 0
        assert "--yes" in report["busy_day"].text
        found = examine(peer(pacs.port), replace(BROAD, day=None, today=date(2026, 1, 1)))
        assert found["busy_day"].grade is Grade.OK


def test_a_recent_day_is_found_alone() -> None:
    report = simulated(replace(PLAN, day=None, today=date(2024, 7, 4)))
    assert report["busy_day"].grade is Grade.OK
    assert problems(report) == set()


def test_a_pacs_without_studies() -> None:
    report = simulated(BROAD, replace(ARCHIVE, studies=0, undated=0))
    assert problems(report) == set()


def test_nobody_there_and_nobody_willing(dcmtk_tool: Callable[[str], Path], tmp_path: Path) -> None:
    nobody = examine(peer(1))
    assert problems(nobody) == {"address"} == set(nobody)
    unknown = replace(peer(1), host="no-such-host.invalid")
    assert "check pacs.test.host" in examine(unknown)["address"].remedy
    with running(Simulator(ARCHIVE, ae_title="OTHER")) as pacs:
        report = examine(peer(pacs.port))
    assert problems(report) == {"association"}
    assert "AE title ME, address 127.0.0.1" in report["association"].remedy


def test_orthanc(orthanc_binary: Path, tmp_path: Path) -> None:
    files = made_files(tmp_path)
    with orthanc(orthanc_binary, tmp_path, files) as port:
        called = replace(peer(port, "ORTHANC"), calling_ae=AETitle("PACSLAKE"))
        report = examine(called, replace(BROAD, day=date(2024, 2, 29)))
    assert len(report) >= 30
    assert problems(report) == set()
    assert report["star_uid"].learned == (Learned("star_uid", "refused", Level.SERIES),)
    assert "empty: RetrieveAETitle, InstanceAvailability" in report["study_keys"].text


def test_orthanc_with_a_limit(orthanc_binary: Path, tmp_path: Path) -> None:
    files = made_files(tmp_path)
    with orthanc(orthanc_binary, tmp_path, files, LimitFindResults=7) as port:
        report = examine(peer(port, "ORTHANC"), replace(BROAD, day=date(2024, 2, 29)))
    assert problems(report) == {"cap"}
    assert report["cap"].learned == (Learned("cap", "7"),)


def test_dcmqrscp(dcmtk_tool: Callable[[str], Path], tmp_path: Path) -> None:
    files = made_files(tmp_path)
    with dcmqrscp(dcmtk_tool("dcmqrscp"), dcmtk_tool("dcmqridx"), tmp_path, files) as port:
        report = examine(peer(port, "DCMQRSCP"), replace(BROAD, day=date(2024, 2, 29)))
    assert problems(report) == set()
    assert {("unsupported_key.ModalitiesInStudy", "ignored"), ("study_modality", "yes")} <= learned(report)
