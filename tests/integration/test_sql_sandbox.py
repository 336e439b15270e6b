"""The processes that answer SQL for others: what they answer, and that they bear whatever they are asked."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import aclosing, suppress
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet
import pytest

from crawler.errors import LakeError, NoLakeError, UserError
from crawler.lake.writer import LakeWriter
from crawler.model import Level
from crawler.serve.sql.client import BusyError, Limits, Sandbox
from tests.integration.sandboxes import Asker, statements
from tests.property.lake.answers import studies

ENDLESS = "SELECT count(*) FROM range(1000000000000) a, range(1000000) b WHERE a.range % 7 = b.range % 5"
COUNT = "SELECT count(*) FROM studies"
HERE = Path(__file__).resolve().parents[2]


def test_a_question_is_answered_with_its_rows_and_the_version(asker: Asker) -> None:
    statement = "SELECT StudyInstanceUID, StudyID FROM studies WHERE NumberOfStudyRelatedSeries = ? ORDER BY 1"
    answer = asker.ask(statement, parameters=[8])
    assert answer.table.to_pylist() == [{"StudyInstanceUID": "Planted^Patient 2", "StudyID": "Planted^Patient 2"}]
    assert (answer.truncated, answer.version) == (False, 2)
    assert answer.seconds > 0
    assert asker.rows("SELECT $a + $b, $c", parameters={"a": 1, "b": 2, "c": None}, phi=False) == [(3, None)]


@pytest.mark.parametrize("statement", statements("harmless.sql"))
def test_what_only_reads_is_answered_in_both_roles(asker: Asker, statement: str) -> None:
    for phi in (True, False):
        assert asker.ask(statement, phi=phi).table.num_columns


def test_rows_beyond_the_limit_are_left_out_and_said_to_be(asker: Asker) -> None:
    answer = asker.ask("FROM range(1000000000000)", max_rows=5000)
    assert (answer.table.num_rows, answer.truncated) == (5000, True)
    assert answer.table["range"].to_pylist() == list(range(5000))
    answer = asker.ask("FROM range(5000)", max_rows=5000)
    assert (answer.table.num_rows, answer.truncated) == (5000, False)
    assert asker.ask("FROM range(200000)").table.num_rows == 100_000


def test_the_next_question_sees_the_next_commit(asker: Asker, tmp_path: Path) -> None:
    with LakeWriter.open(tmp_path) as writer:
        writer.stage(Level.STUDY, "main", "s1", studies([("1", "CT")]))
        writer.commit()
        with Asker(tmp_path) as own:
            for phi in (True, False):
                assert own.rows(COUNT, phi=phi) == [(1,)]
            writer.stage(Level.STUDY, "main", "s1", studies([("2", "CT")]))
            writer.commit()
            for phi in (True, False):
                assert own.rows(COUNT, phi=phi) == [(2,)]


def test_where_there_is_no_lake_it_says_so_and_answers_once_there_is(tmp_path: Path) -> None:
    with Asker(tmp_path / "lake") as asker:
        with pytest.raises(NoLakeError, match="Run `pacslake sweep`"):
            asker.ask(COUNT)
        with LakeWriter.open(tmp_path / "lake"):
            pass
        assert asker.rows(COUNT) == [(0,)]


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        (
            "SELECT CAST(PatientName AS INTEGER) FROM studies",
            "A value cannot be converted to the type asked for; TRY_CAST",
        ),
        ("SELECT error(PatientName) FROM studies", "A function does not take a value that it was given"),
        ("SELECT strptime(PatientName, '%Y') FROM studies", "A function does not take a value that it was given"),
        ("SELECT PatientName FROM studies WHERE nosuch = 1", 'Referenced column "nosuch" not found'),
        ("SELEC 1", "syntax error"),
        ("", "this has 0"),
        ("SELECT 1; SELECT 2", "one statement at a time; this has 2"),
        ("SELECT $1", "Values were not provided"),
        ("FROM nosuch", "There is no table nosuch to be asked here; SHOW TABLES lists"),
        ("FROM (PIVOT studies ON pacs)", "Only SELECT can be asked here"),
        ("SELECT '\ud800'", "no zero or half character"),
        ("SELECT '\0'", "no zero or half character"),
        ("SELECT 1" + " " * 100_000, "at most 100000 characters"),
    ],
)
def test_a_wrong_question_is_told_why_and_never_with_a_value(asker: Asker, statement: str, sentence: str) -> None:
    with pytest.raises(UserError) as raised:
        asker.ask(statement)
    assert sentence in str(raised.value)
    assert "Planted" not in str(raised.value)


@pytest.mark.parametrize("phi", [True, False])
def test_exports_hold_the_whole_answer(asker: Asker, phi: bool) -> None:
    statement = "SELECT range AS n, 'a' || range AS t FROM range(300000)"
    assert pyarrow.csv.read_csv(io.BytesIO(asker.export(statement, "csv", phi=phi))).num_rows == 300_000
    assert (
        pyarrow.parquet.read_table(io.BytesIO(asker.export(statement, "parquet", phi=phi)))["n"][-1].as_py() == 299_999
    )
    assert json.loads(asker.export("SELECT 1 AS a", "json", phi=phi)) == [{"a": 1}]
    assert asker.export("DESCRIBE SELECT 1 AS a", "jsonl", phi=phi).startswith(
        b'{"column_name":"a","column_type":"INTEGER"'
    )


def test_an_export_that_is_refused_says_so_before_the_first_piece(asker: Asker) -> None:
    with pytest.raises(UserError, match="no table of this name"):
        asker.export("FROM '/etc/passwd'", "csv")
    with pytest.raises(UserError, match="There is no format 'xml'; there are csv, json, jsonl, parquet"):
        asker.export("SELECT 1", "xml")


def test_an_answer_that_is_too_large_to_be_shown_says_so(asker: Asker) -> None:
    with pytest.raises(UserError, match="too large to be shown; ask for fewer columns, or export it"):
        asker.ask("SELECT repeat('x', 1000000) FROM range(100)")


def test_what_does_not_fit_into_memory_is_answered_from_disk(asker: Asker) -> None:
    statement = (
        "SELECT count(*) FROM (SELECT DISTINCT range, md5(range::VARCHAR) || repeat('x', 60) FROM range(2000000))"
    )
    assert asker.rows(statement) == [(2_000_000,)]


def test_after_the_end_nothing_is_answered_and_nothing_is_left(planted: Path) -> None:
    async def end(sandbox: Sandbox) -> None:
        question = asyncio.create_task(sandbox.ask(ENDLESS, phi=True))
        await asyncio.sleep(0.2)
        await sandbox.close()
        with pytest.raises(UserError, match="ended the process"):
            await question

    with Asker(planted) as own:
        own.rows(COUNT)
        own.run(end(own.sandbox))
        assert not own.processes()
        with pytest.raises(LakeError, match="The service is stopping"):
            own.rows(COUNT)


def test_who_leaves_an_export_stops_it(asker: Asker) -> None:
    async def leave() -> int:
        async with aclosing(asker.sandbox.export("FROM range(1000000000000)", "csv", phi=True)) as pieces:
            return len(await anext(pieces))

    assert asker.run(leave())
    assert asker.rows(COUNT) == [(3,)]


def test_who_leaves_in_the_middle_of_a_piece_leaves_nothing_of_it_to_the_next(asker: Asker) -> None:
    async def leave(after: float) -> None:
        with suppress(TimeoutError):
            async with (
                asyncio.timeout(after),
                aclosing(asker.sandbox.export("FROM range(1e12::BIGINT)", "csv", phi=True)) as pieces,
            ):
                async for _ in pieces:
                    pass

    for moment in range(12):
        asker.run(leave(0.004 * moment))
        assert asker.rows("SELECT ?", parameters=[moment]) == [(moment,)]


def test_who_goes_away_stops_the_question_and_the_process_answers_the_next(asker: Asker) -> None:
    asker.rows(COUNT)
    before = asker.processes()

    async def leave() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await asker.sandbox.ask(ENDLESS, phi=True)

    asker.run(leave())
    assert asker.rows(COUNT) == [(3,)]
    assert set(before) <= set(asker.processes())


def test_a_question_that_takes_too_long_is_stopped(asker: Asker) -> None:
    with pytest.raises(UserError, match="took longer than it may"):
        asker.ask(ENDLESS, seconds=0.5)
    assert asker.rows(COUNT) == [(3,)]


def test_a_process_that_does_not_stop_is_ended(planted: Path) -> None:
    """A process that is paused obeys nothing, like one in the middle of what DuckDB does not interrupt."""

    async def paused(sandbox: Sandbox, stuck: int) -> None:
        question = asyncio.create_task(sandbox.ask(ENDLESS, phi=True, seconds=1))
        await asyncio.sleep(0.2)
        os.kill(stuck, signal.SIGSTOP)
        with pytest.raises(UserError, match="took longer than it may"):
            await question

    with Asker(planted, Limits(at_once=1)) as own:
        own.rows(COUNT)
        [stuck] = own.processes()
        own.run(paused(own.sandbox, stuck))
        assert own.rows(COUNT) == [(3,)]
        assert stuck not in own.processes()


def test_after_a_kill_the_next_question_is_answered(asker: Asker) -> None:
    asker.rows(COUNT)
    for process in asker.processes():
        os.kill(process, signal.SIGKILL)
    assert asker.rows(COUNT) == [(3,)]

    async def killed() -> None:
        question = asyncio.create_task(asker.sandbox.ask(ENDLESS, phi=True))
        await asyncio.sleep(0.5)
        for process in asker.processes():
            os.kill(process, signal.SIGKILL)
        with pytest.raises(UserError, match="ended the process that answered it"):
            await question

    asker.run(killed())
    assert asker.rows(COUNT) == [(3,)]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT list(a.range || b.range || repeat('x', 100)) FROM range(1000000) a, range(1000) b",
        "SELECT sum(length(repeat(chr(97 + range::INTEGER), 1500000000))) FROM range(8)",
        "SELECT repeat('x', 2000000000) || repeat('y', 2000000000)",
        "SELECT range(3000000000)",
        "WITH RECURSIVE r AS (SELECT 'x' AS n UNION ALL SELECT n || n FROM r) SELECT count(*) FROM r",
        "SELECT " + "(" * 40_000 + "1" + ")" * 40_000,
        "SELECT " + "1+" * 40_000 + "1",
        "SELECT " + "[" * 10_000 + "]" * 10_000,
    ],
)
def test_a_bomb_ends_with_a_sentence_and_the_next_question_is_answered(asker: Asker, statement: str) -> None:
    with pytest.raises(UserError):
        asker.ask(statement, seconds=2)
    assert asker.rows(COUNT) == [(3,)]


def test_so_many_questions_are_answered_at_once_the_next_wait_and_more_are_told_so(planted: Path) -> None:
    async def crowd(sandbox: Sandbox) -> list[object]:
        slow = [asyncio.create_task(sandbox.ask(ENDLESS, phi=True, seconds=2)) for _ in range(2)]
        await asyncio.sleep(0)
        quick = [asyncio.create_task(sandbox.ask(COUNT, phi=True)) for _ in range(3)]
        return await asyncio.gather(*quick, *slow, return_exceptions=True)

    with Asker(planted, Limits(memory=200_000_000, at_once=2, waiting=2)) as asker:
        first, second, third, *slow = asker.run(crowd(asker.sandbox))
        assert isinstance(third, BusyError)
        assert not isinstance(first, BaseException)
        assert not isinstance(second, BaseException)
        assert all(isinstance(one, UserError) for one in slow)
        assert len(asker.processes()) <= 2


def test_a_process_that_has_answered_enough_is_replaced(planted: Path) -> None:
    with Asker(planted, Limits(at_once=1, questions=2)) as own:
        seen = [(own.rows(COUNT), own.processes()) for _ in range(3)]
        assert [rows for rows, _ in seen] == [[(3,)]] * 3
        assert seen[0][1] != seen[2][1]
        assert len(own.processes()) == 1


def test_processes_end_with_whoever_started_them(planted: Path) -> None:
    program = f"""
import asyncio, pathlib, time
from crawler.serve.sql.client import Sandbox
async def main():
    sandbox = Sandbox(pathlib.Path({str(planted)!r}))
    await sandbox.ask("SELECT 1", phi=True)
    print(sandbox._idle[0]._process.pid, sandbox._idle[0]._spill.path, flush=True)
    await sandbox.ask({ENDLESS!r}, phi=True)
asyncio.run(main())
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, sys.path)])}
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment) as service:
        assert service.stdout
        process, spill = service.stdout.readline().decode().split()
        service.kill()
    until = time.monotonic() + 20
    while Path(f"/proc/{process}").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not Path(f"/proc/{process}").exists()
    assert not list(Path(spill).iterdir())
