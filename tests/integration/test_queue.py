"""The queue in a real PostgreSQL: what is in it once, who has it, and who has it no more."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from crawler.errors import CommitConflictError, PacslakeError, QueueError, UserError
from crawler.lake.writer import LakeWriter
from crawler.model import JobRun, JobState
from crawler.queue.postgres import Queue
from crawler.queue.tasks import Ending, Holder, Task, Wanted
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
    return Wanted(name, slot, name.partition(":")[2])


def play(url: str, plot: Play) -> None:
    """Have two services play something."""

    async def played() -> None:
        queue = Queue(url)
        assert await queue.prepare()
        await plot(queue, await queue.join(), await queue.join())
        await queue.close()

    asyncio.run(played())


def none(_name: str) -> Sequence[str]:
    """Have nothing done at once with anything."""
    return ()


async def taken(queue: Queue, service: int) -> Task:
    [task] = await queue.take(service, KINDS, none)
    return task


def silence(url: str, service: int) -> None:
    """Have a service be silent for long enough."""
    with psycopg.connect(url) as connection:
        statement = "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '26 s' WHERE id = %s"
        connection.execute(statement, [service])


def test_a_slot_is_in_it_once_and_remembered_when_it_is_done(url: str) -> None:
    async def plot(queue: Queue, one: int, other: int) -> None:
        assert [await queue.add([wanted()]), await queue.add([wanted()])] == [[wanted()], []]
        task = await taken(queue, one)
        assert (task.name, task.slot, task.failures, task.lost) == (KINDS[0], SLOT, 0, ())
        assert not await queue.add([wanted()])
        assert await queue.take(other, KINDS, none) == []
        assert await queue.end(one, [Ending(task)])
        assert not await queue.add([wanted()])
        assert await queue.add([wanted(NEXT)])
        assert (await taken(queue, other)).slot == NEXT

    play(url, plot)


def test_a_newer_slot_stands_for_one_that_waits_or_is_given_back(url: str) -> None:
    async def plot(queue: Queue, one: int, _other: int) -> None:
        for slot in (SLOT, NEXT):
            await queue.add([wanted(slot)])
        task = await taken(queue, one)
        assert task.slot == NEXT
        await queue.add([wanted(NEXT + timedelta(days=1))])
        assert await queue.end(one, [Ending(task, 0, 1)])
        assert (await taken(queue, one)).slot == NEXT + timedelta(days=1)
        assert len((await queue.shown())[1]) == 1

    play(url, plot)


def test_one_task_at_a_time_is_done_and_only_by_who_knows_it(url: str) -> None:
    async def plot(queue: Queue, one: int, other: int) -> None:
        await queue.add([wanted()])
        await queue.add([wanted(name="nightly:other")])
        assert await queue.take(one, ["weekly:main"], none) == []
        task = await taken(queue, one)
        assert await queue.take(other, ["nightly:other"], none) == []
        await queue.end(one, [Ending(task, kept=False)])
        assert await queue.take(other, ["nightly:other"], none)

    play(url, plot)


def test_a_job_is_taken_at_all_its_pacs_at_once_and_alone_where_it_did_not_get_through(url: str) -> None:
    nightly = [f"nightly:{pacs}" for pacs in ("main", "ultra", "closed", "far")]
    here, there = ["weekly:main", *nightly[:3]], ["weekly:main", nightly[0], nightly[3]]

    async def took(queue: Queue, service: int, kinds: list[str]) -> list[Task]:
        return await queue.take(service, kinds, lambda name: nightly if name in nightly else [])

    def names(tasks: list[Task]) -> list[str]:
        return [task.name for task in tasks]

    async def plot(queue: Queue, one: int, other: int) -> None:
        await queue.add([wanted(name=name) for name in (*nightly, "weekly:main")])
        tasks = await took(queue, one, here)
        assert names(tasks) == nightly[:3]
        assert await took(queue, other, there) == []
        assert await queue.held_by(tasks, one, Holder("crawl1", 71))
        assert [(one.name, one.pid) for one in (await queue.shown())[1] if one.state == "doing"] == [
            (name, 71) for name in nightly[:3]
        ]
        silence(url, one)
        main, far = await took(queue, other, there)
        assert (names([main, far]), main.lost) == ([nightly[0], nightly[3]], (Holder("crawl1", 71),))
        assert not (await queue.beat(one, tasks)).holds
        assert not await queue.end(one, [Ending(task) for task in tasks])
        assert await queue.end(other, [Ending(far), Ending(main, 0, 0)])
        tasks = await took(queue, other, here)
        assert names(tasks) == nightly[:3]  # what was given back too, as it did not fail
        main, ultra, closed = tasks
        assert await queue.end(other, [Ending(main, 0, 1), Ending(ultra, 0, 1), Ending(closed, 300, 0)])
        for found in (["weekly:main"], nightly[:1], nightly[1:2], []):
            tasks = await took(queue, other, here)
            assert names(tasks) == found
            assert await queue.end(other, [Ending(task) for task in tasks])

    play(url, plot)


def test_who_fell_silent_has_lost_its_task_and_cannot_end_that_of_another(url: str) -> None:
    async def plot(queue: Queue, one: int, other: int) -> None:
        await queue.add([wanted()])
        task = await taken(queue, one)
        assert await queue.held_by([task], one, Holder("crawl1", 71))
        assert await queue.take(other, KINDS, none) == []
        silence(url, one)
        again = await taken(queue, other)
        assert (again.number, again.lost) == (task.number, (Holder("crawl1", 71),))
        assert not (await queue.beat(one, [task])).known
        assert not (await queue.beat(one, [task])).holds
        assert not await queue.held_by([task], one, Holder("crawl1", 72))
        assert not await queue.end(one, [Ending(task)])
        assert not await queue.end(one, [Ending(task, 0, 1)])
        assert (await queue.beat(other, [again])).holds
        assert (await queue.beat(other, [again])).first
        await queue.end(other, [Ending(again, 0, 0)])  # it found the lake taken: who lost it is still known
        await queue.add([wanted(NEXT)])
        assert (await taken(queue, other)).lost == (Holder("crawl1", 71),)

    play(url, plot)


def test_what_was_taken_in_an_answer_that_never_came_is_taken_again(url: str) -> None:
    async def plot(queue: Queue, one: int, _other: int) -> None:
        await queue.add([wanted()])
        assert (await taken(queue, one)).number == (await taken(queue, one)).number

    play(url, plot)


def test_what_failed_waits_and_what_was_given_up_is_tried_again_when_somebody_hurries(url: str) -> None:
    async def plot(queue: Queue, one: int, _other: int) -> None:
        await queue.add([wanted()])
        await queue.end(one, [Ending(await taken(queue, one), 300, 1)])
        assert await queue.take(one, KINDS, none) == []
        await queue.hurry()
        task = await taken(queue, one)
        assert task.failures == 1
        await queue.end(one, [Ending(task, given_up=True)])
        assert [shown.state for shown in (await queue.shown())[1]] == ["failed"]
        assert not await queue.add([wanted()])
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

    async def taken_by(member: Membership) -> list[Task]:
        with suppress(QueueError):
            await member.add([wanted(datetime.now(UTC))])
            return await member.take(KINDS, none)
        return []

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
        shut_out(tmp_path / "lake", [Task(1, "nightly:main", SLOT, 0, (somebody,))])
        assert (tmp_path / "lake/lock").exists()
        shut_out(tmp_path / "lake", [Task(1, "nightly:main", SLOT, 0, (somebody, ours))])
        with LakeWriter.open(tmp_path / "lake") as other:
            with pytest.raises(CommitConflictError):
                frozen.commit(jobs=[run()])
            other.commit(jobs=[run()])
