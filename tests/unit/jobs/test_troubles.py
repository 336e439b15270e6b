"""Which troubles there are: what ledger and service say, and what is still so although nothing says it any more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crawler.lake.writer import LakeWriter
from crawler.model import JobRun, JobState, Level, SweepRecord, SweepState, Trouble
from crawler.serve.alarms import Board
from crawler.settings import Settings, load
from jobs.scheduler import schedules_of
from jobs.troubles import OVERDUE, Known, look_around

NOW = datetime.now(UTC)
RECEIVER = {"ops": tuple(Trouble)}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "pacslake.toml").write_text(
        "[lake]\npath = 'lake'\n[pacs.main]\nhost = 'h'\nport = 104\nae_title = 'X'\n"
        "[jobs.nightly]\nkind = 'sweep'\ninterval = '1h'\n"
    )
    return load(tmp_path / "pacslake.toml")


@pytest.fixture
def writer(settings: Settings) -> Iterator[LakeWriter]:
    with LakeWriter.open(settings.lake.path) as writer:
        yield writer


def run(state: JobState, ended: datetime = NOW) -> JobRun:
    return JobRun("nightly", "sweep", state, ended, ended, ended)


def sweep(state: SweepState, sweep_id: str, started: datetime = NOW) -> SweepRecord:
    return SweepRecord(sweep_id, "main", (Level.STUDY,), None, None, state, started)


def found(settings: Settings, board: Board, failed: tuple[str, ...] = ()) -> set[Trouble]:
    look = look_around(Known(settings, schedules_of(settings), failed=failed), board)
    board.look(look, RECEIVER)
    return {one.trouble for one in look.found} - {Trouble.DISK_LOW}


def test_without_a_lake_there_is_no_trouble_yet(settings: Settings) -> None:
    assert found(settings, Board()) == set()


def test_a_job_has_failed_until_it_gets_through(settings: Settings, writer: LakeWriter) -> None:
    board = Board()
    for state, troubles in (
        (JobState.COMPLETE, set()),
        (JobState.FAILED, {Trouble.JOB_FAILED}),
        (JobState.PARTIAL, set()),
        (JobState.FAILED, {Trouble.JOB_FAILED}),
        (JobState.CAPPED, set()),
    ):
        writer.commit(jobs=[run(state, datetime.now(UTC))])
        assert found(settings, board) == troubles


def test_a_job_that_crashed_has_failed_after_a_restart_too(settings: Settings, writer: LakeWriter) -> None:
    board = Board()
    writer.commit(jobs=[run(JobState.COMPLETE, NOW - timedelta(minutes=1))])
    assert found(settings, board, failed=("nightly",)) == {Trouble.JOB_FAILED}
    assert found(settings, Board.of(board.as_values())) == {Trouble.JOB_FAILED}
    writer.commit(jobs=[run(JobState.COMPLETE, datetime.now(UTC))])
    assert found(settings, board) == set()


def test_a_partial_sweep_is_one_until_it_is_complete_and_not_while_it_is_gone_on_with(
    settings: Settings, writer: LakeWriter
) -> None:
    board = Board()
    writer.commit(jobs=[run(JobState.COMPLETE)])
    partial = {Trouble.SWEEP_PARTIAL}
    for state, troubles in (
        (SweepState.RUNNING, set()),
        (SweepState.PARTIAL, partial),
        (SweepState.RUNNING, partial),
        (SweepState.INTERRUPTED, partial),
        (SweepState.COMPLETE, set()),
        (SweepState.RUNNING, set()),
    ):
        writer.commit(sweeps=[sweep(state, "one")])
        assert found(settings, board) == troubles, state
    writer.commit(sweeps=[sweep(SweepState.PARTIAL, "two", NOW + timedelta(seconds=1))])
    assert found(settings, board) == partial


def test_a_job_is_overdue_after_six_hours(settings: Settings, writer: LakeWriter) -> None:
    writer.commit(jobs=[run(JobState.COMPLETE, datetime.now(UTC) - OVERDUE)])
    assert found(settings, Board()) == set()
    writer.commit(jobs=[run(JobState.COMPLETE, NOW - OVERDUE - timedelta(hours=2))])
    assert found(settings, Board()) == {Trouble.OVERDUE}


def test_a_lake_that_cannot_be_read_is_told_and_hides_nothing_else(settings: Settings, writer: LakeWriter) -> None:
    board = Board()
    writer.commit(jobs=[run(JobState.FAILED)])
    found(settings, board)
    catalog = settings.lake.path / "lake.duckdb"
    whole = catalog.read_bytes()
    catalog.write_bytes(b"broken")
    assert found(settings, board) == {Trouble.LAKE_TROUBLE}
    catalog.write_bytes(whole)
    assert found(settings, board) == {Trouble.JOB_FAILED}
    assert [(one["alert"], one["status"]) for one in board.outboxes["ops"].waiting if one["alert"] != "disk_low"] == [
        ("job_failed", "begins"),
        ("lake_trouble", "begins"),
        ("lake_trouble", "ends"),
    ]
