"""The queue in a real PostgreSQL: what is in it once, who has it, and who has it no more."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from crawler.errors import CommitConflictError, PacslakeError, QueueError, UserError
from crawler.lake.writer import LakeWriter
from crawler.model import JobRun, JobState
from crawler.queue.postgres import Queue
from crawler.queue.tasks import Holder, Task, Wanted
from crawler.settings import load
from jobs.membership import Membership
from jobs.queued import shut_out
from jobs.shared_jobs import make_queue
from jobs.surroundings import of_queue
from tests.acceptance.queues import Cluster

SLOT = datetime(2026, 3, 1, 22, tzinfo=UTC)
NEXT = SLOT + timedelta(days=1)
KINDS = ["nightly:main"]
Play = Callable[[Queue, int, int], Awaitable[None]]


@pytest.fixture
def url(postgres: Cluster, request: pytest.FixtureRequest) -> str:
    return postgres.new_database(request.node.name[:60])


def wanted(slot: datetime = SLOT, name: str = KINDS[0]) -> Wanted:
    return Wanted(name, slot, "main")


def play(url: str, plot: Play) -> None:
    """Have two services play something."""

    async def played() -> None:
        queue = Queue(url)
        assert await queue.prepare()
        await plot(queue, await queue.join(), await queue.join())
        await queue.close()

    asyncio.run(played())


async def taken(queue: Queue, service: int) -> Task:
    task = await queue.take(service, KINDS)
    assert task is not None
    return task


def silence(url: str, service: int) -> None:
    """Have a service be silent for long enough."""
    with psycopg.connect(url) as connection:
        statement = "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '26 s' WHERE id = %s"
        connection.execute(statement, [service])


def test_a_slot_is_in_it_once_and_remembered_when_it_is_done(url: str) -> None:
    async def plot(queue: Queue, one: int, other: int) -> None:
        assert [await queue.add(wanted()), await queue.add(wanted())] == [True, False]
        task = await taken(queue, one)
        assert (task.name, task.slot, task.failures, task.lost) == (KINDS[0], SLOT, 0, ())
        assert not await queue.add(wanted())
        assert await queue.take(other, KINDS) is None
        assert await queue.end(task, one, kept=True)
        assert not await queue.add(wanted())
        assert await queue.add(wanted(NEXT))
        assert (await taken(queue, other)).slot == NEXT

    play(url, plot)


def test_a_newer_slot_stands_for_one_that_waits_or_is_given_back(url: str) -> None:
    async def plot(queue: Queue, one: int, _other: int) -> None:
        for slot in (SLOT, NEXT):
            await queue.add(wanted(slot))
        task = await taken(queue, one)
        assert task.slot == NEXT
        await queue.add(wanted(NEXT + timedelta(days=1)))
        assert await queue.give_back(task, one, 0, 1)
        assert (await taken(queue, one)).slot == NEXT + timedelta(days=1)
        assert len((await queue.shown())[1]) == 1

    play(url, plot)


def test_one_task_at_a_time_is_done_and_only_by_who_knows_it(url: str) -> None:
    async def plot(queue: Queue, one: int, other: int) -> None:
        await queue.add(wanted())
        await queue.add(wanted(name="nightly:other"))
        assert await queue.take(one, ["weekly:main"]) is None
        task = await taken(queue, one)
        assert await queue.take(other, ["nightly:other"]) is None
        await queue.end(task, one, kept=False)
        assert await queue.take(other, ["nightly:other"]) is not None

    play(url, plot)


def test_who_fell_silent_has_lost_its_task_and_cannot_end_that_of_another(url: str) -> None:
    async def plot(queue: Queue, one: int, other: int) -> None:
        await queue.add(wanted())
        task = await taken(queue, one)
        assert await queue.held_by(task, one, Holder("crawl1", 71))
        assert await queue.take(other, KINDS) is None
        silence(url, one)
        again = await taken(queue, other)
        assert (again.number, again.lost) == (task.number, (Holder("crawl1", 71),))
        assert not (await queue.beat(one, task.number)).known
        assert not (await queue.beat(one, task.number)).holds
        assert not await queue.held_by(task, one, Holder("crawl1", 72))
        assert not await queue.end(task, one, kept=True)
        assert not await queue.give_back(task, one, 0, 1)
        assert (await queue.beat(other, again.number)).holds
        assert (await queue.beat(other, again.number)).first
        await queue.give_back(again, other, 0, 0)  # it found the lake taken: who lost it is still known
        await queue.add(wanted(NEXT))
        assert (await taken(queue, other)).lost == (Holder("crawl1", 71),)

    play(url, plot)


def test_what_was_taken_in_an_answer_that_never_came_is_taken_again(url: str) -> None:
    async def plot(queue: Queue, one: int, _other: int) -> None:
        await queue.add(wanted())
        assert (await taken(queue, one)).number == (await taken(queue, one)).number

    play(url, plot)


def test_what_failed_waits_and_what_was_given_up_is_tried_again_when_somebody_hurries(url: str) -> None:
    async def plot(queue: Queue, one: int, _other: int) -> None:
        await queue.add(wanted())
        await queue.give_back(await taken(queue, one), one, 300, 1)
        assert await queue.take(one, KINDS) is None
        await queue.hurry()
        task = await taken(queue, one)
        assert task.failures == 1
        await queue.end(task, one, kept=True, failed=True)
        assert [shown.state for shown in (await queue.shown())[1]] == ["failed"]
        assert not await queue.add(wanted())
        await queue.hurry()
        assert (await taken(queue, one)).slot == SLOT

    play(url, plot)


def test_tables_of_an_older_release_are_refused_and_silence_is_an_error(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE procrastinate_jobs (id bigint)")

    async def plot() -> None:
        queue = Queue(url)
        with pytest.raises(UserError, match="older release of Procrastinate"):
            await queue.prepare()
        await queue.close()
        with pytest.raises(QueueError, match=r"The queue did not answer \(.*No such file"):
            await Queue(url + "0").prepare()

    asyncio.run(plot())


def test_the_password_is_used_and_never_told(url: str) -> None:
    async def plot() -> None:
        for password, says in (("hush", "there is no queue in this database yet"), ("hash", "authentication failed")):
            queue = Queue(url.replace("pacslake@", "guarded@"), password)
            with pytest.raises(PacslakeError, match=says) as told:
                await queue.shown()
            assert password not in str(told.value)
            await queue.close()

    with psycopg.connect(url) as connection:
        connection.execute("CREATE ROLE guarded LOGIN PASSWORD 'hush'")
    asyncio.run(plot())


def test_a_queue_that_lost_everything_is_made_anew(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"tasks.LET_GO": 0.5, "tasks.LAST": 1.0}.items():
        monkeypatch.setattr(f"crawler.queue.{name}", seconds)
    monkeypatch.setattr("jobs.membership.BEAT", 0.1)

    async def plot() -> None:
        member = Membership(lambda: Queue(url), lambda: "lake", asyncio.Event())
        living = asyncio.create_task(member.run())
        for _ in range(2):
            async with asyncio.timeout(10):
                while True:
                    if await taken_by(member):
                        break
                    await asyncio.sleep(0.1)
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("DROP SCHEMA public CASCADE")
                connection.execute("CREATE SCHEMA public")
        living.cancel()
        await asyncio.wait([living])
        await member.leave()

    async def taken_by(member: Membership) -> Task | None:
        with suppress(QueueError):
            await member.add(wanted(datetime.now(UTC)))
            return await member.take(KINDS)
        return None

    asyncio.run(plot())


def test_the_doctor_asks_the_queue(tmp_path: Path, url: str) -> None:
    file = tmp_path / "pacslake.toml"
    file.write_text(f'[lake]\npath = "lake"\n[serve]\nqueue = "{url}"\n')
    settings = load(file)
    assert [one.text for one in of_queue(settings)] == [
        "there is no queue in this database yet; `pacslake queue init` makes one"
    ]
    make_queue(settings)
    assert [one.text for one in of_queue(settings)] == ["it answers; 0 services live"]


def test_a_queue_is_for_one_lake(url: str) -> None:
    async def plot(queue: Queue, _one: int, _other: int) -> None:
        for lake in ("one", None, "one"):
            assert not await queue.prepare(lake)
        with pytest.raises(UserError, match="the queue is that of another lake"):
            await queue.prepare("other")

    play(url, plot)


def test_the_lock_of_who_lost_a_task_is_set_aside_and_what_it_writes_is_refused(tmp_path: Path) -> None:
    def run() -> JobRun:
        return JobRun("nightly:main", "sweep", JobState.COMPLETE, SLOT, SLOT, SLOT)

    ours, somebody = Holder(socket.gethostname(), os.getpid()), Holder(socket.gethostname(), 1)
    with LakeWriter.open(tmp_path / "lake") as frozen:
        shut_out(tmp_path / "lake", Task(1, "nightly:main", SLOT, 0, (somebody,)))
        assert (tmp_path / "lake/lock").exists()
        shut_out(tmp_path / "lake", Task(1, "nightly:main", SLOT, 0, (somebody, ours)))
        with LakeWriter.open(tmp_path / "lake") as other:
            with pytest.raises(CommitConflictError):
                frozen.commit(jobs=[run()])
            other.commit(jobs=[run()])
