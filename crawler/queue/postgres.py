"""The queue, in the tables and by the functions of Procrastinate. Touches: network.

Procrastinate's own worker is not used: it ends where PostgreSQL goes away, and lets a job go on that another has
taken. So this room takes, gives back and ends tasks by itself, each in a statement that also asks whose it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import psycopg
from procrastinate.schema import SchemaManager
from procrastinate.sql import queries
from psycopg.rows import DictRow, dict_row
from psycopg.sql import SQL, Literal
from psycopg.types.json import Jsonb

from crawler.errors import QueueError, UserError
from crawler.queue.tasks import SILENCE, Ending, Holder, Shown, Standing, Task, Wanted

ANSWER = 5.0
"""Seconds within which PostgreSQL has to answer."""
_TURN = 0x7061637301
"""The advisory lock of those who take or add; a number that other programs hardly use."""
_SESSION = """SET statement_timeout = '5s'; SET idle_in_transaction_session_timeout = '5s'"""
"""A service that is paused in the middle must not keep the others waiting."""
_TASK = "pacslake"

_SILENT = """SELECT job.id FROM procrastinate_jobs job
    LEFT JOIN procrastinate_workers worker ON worker.id = job.worker_id
    WHERE job.status = 'doing' AND job.task_name = %s
    AND (worker.id IS NULL OR worker.last_heartbeat < now() - %s OR worker.id = %s) FOR UPDATE OF job"""
_LOST = """UPDATE procrastinate_jobs SET args = (args - 'holder') || jsonb_build_object('lost',
    coalesce(args->'lost', '[]') || jsonb_build_array(args->'holder')) WHERE id = %s AND args ? 'holder'"""
_ABSORB = """WITH twin AS (DELETE FROM procrastinate_jobs WHERE status = 'todo' AND queueing_lock =
    (SELECT queueing_lock FROM procrastinate_jobs WHERE id = %(id)s) RETURNING args->'slot' AS slot)
    UPDATE procrastinate_jobs SET args = args || jsonb_build_object('slot', twin.slot) FROM twin WHERE id = %(id)s"""
_FRESH = """SELECT queue_name AS kind FROM procrastinate_jobs WHERE status = 'todo' AND task_name = %s
    AND queue_name = ANY(%s) AND coalesce(args->>'failures', '0') = '0'"""
_BUSY = "SELECT id FROM procrastinate_jobs WHERE status = 'doing' AND task_name = %s LIMIT 1"
_ALIKE = """SELECT id, status::text AS status, args->>'slot' AS slot, args->'lost' AS lost
    FROM procrastinate_jobs WHERE queueing_lock = %s"""
_THERE = "SELECT to_regclass('procrastinate_jobs') AS found"
_KNOWN = "SELECT to_regproc('procrastinate_retry_job_v2') AS found"
_LAKE = "SELECT obj_description('procrastinate_jobs'::regclass) AS lake"
_HURRY = "UPDATE procrastinate_jobs SET scheduled_at = NULL WHERE status = 'todo' AND task_name = %s"
_AGAIN = """SELECT procrastinate_retry_job_v2(id, now(), 0, NULL, NULL) FROM procrastinate_jobs
    WHERE status = 'failed' AND task_name = %s"""
_NOTE = "UPDATE procrastinate_jobs SET args = (args - 'holder') || %s WHERE id = ANY(%s)"
_RETRY = "SELECT procrastinate_retry_job_v2(%s, now() + %s, %s, NULL, NULL)"
_MINE = "SELECT id FROM procrastinate_jobs WHERE id = ANY(%s) AND worker_id = %s AND status = 'doing' FOR UPDATE"
_BEAT = "UPDATE procrastinate_workers SET last_heartbeat = now() WHERE id = %s RETURNING id"
_FIRST = "SELECT min(id) = %s AS first FROM procrastinate_workers WHERE last_heartbeat > now() - %s"
_ADD = """INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args)
    VALUES (%(kind)s, %(task)s, %(lock)s, %(name)s, %(args)s)"""
_SHOW = """SELECT job.args, job.status::text AS state, job.scheduled_at, max(event.at) AS since
    FROM procrastinate_jobs job LEFT JOIN procrastinate_events event ON event.job_id = job.id AND event.type = 'started'
    WHERE job.task_name = %s AND job.status IN ('todo', 'doing', 'failed') GROUP BY job.id ORDER BY job.id"""


class Queue:
    """One connection to it, made when it is needed and again when it is lost. QueueError where there is none."""

    def __init__(self, url: str, password: str | None = None) -> None:
        self._url = url
        self._password = password
        self._connection: psycopg.AsyncConnection[DictRow] | None = None
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def _transaction(self, *, alone: bool = False) -> AsyncIterator[psycopg.AsyncConnection[DictRow]]:
        """All within it happens or nothing does; `alone` while no other service takes or adds."""
        async with self._turn:
            try:
                async with asyncio.timeout(ANSWER):
                    connection = await self._connected()
                    async with connection.transaction():
                        if alone:
                            await connection.execute("SELECT pg_advisory_xact_lock(%s)", [_TURN])
                        yield connection
            except (psycopg.Error, TimeoutError, OSError) as error:
                await self._hang_up()
                raise QueueError(f"The queue did not answer ({_reason(error)})") from None

    async def _connected(self) -> psycopg.AsyncConnection[DictRow]:
        if self._connection is None or self._connection.closed:
            self._connection = await psycopg.AsyncConnection.connect(
                self._url,
                autocommit=True,
                row_factory=dict_row,
                application_name="pacslake",
                client_encoding="utf8",
                connect_timeout=3,
                tcp_user_timeout=int(ANSWER * 1000),
                password=self._password,
            )
            await self._connection.execute(_SESSION)
        return self._connection

    async def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error, OSError):
                await connection.close()

    async def close(self) -> None:
        """Hang up."""
        async with self._turn:
            await self._hang_up()

    async def prepare(self, lake: str | None = None) -> bool:
        """Make the tables where there are none, and say whether; note for which lake they are.

        UserError where they are not those that are known here, or for another lake, whose slots would pass for ours.
        """
        async with self._transaction(alone=True) as connection:
            is_new = await _one(connection, _THERE, "found") is None
            if is_new:
                await connection.execute(SchemaManager.get_schema())
            elif await _one(connection, _KNOWN, "found") is None:
                raise UserError(
                    "the queue was made by an older release of Procrastinate: apply its migrations, or name an empty "
                    "database"
                )
            noted = await _one(connection, _LAKE, "lake")
            if lake is not None and noted is None:
                await connection.execute(SQL("COMMENT ON TABLE procrastinate_jobs IS {}").format(Literal(lake)))
            elif lake not in (None, noted):
                raise UserError("the queue is that of another lake: name an empty database, one for each lake")
        return is_new

    async def join(self) -> int:
        """Come as a service that takes tasks; gives its number."""
        async with self._transaction() as connection:
            return int(await _one(connection, queries["register_worker"], "worker_id"))

    async def leave(self, service: int) -> None:
        """Go."""
        async with self._transaction() as connection:
            await connection.execute(queries["unregister_worker"], {"worker_id": service})

    async def beat(self, service: int, tasks: Sequence[Task] = ()) -> Standing:
        """Give a sign of life, and hear how it stands."""
        async with self._transaction() as connection:
            known = await _one(connection, _BEAT, "id", [service]) is not None
            first = await _one(connection, _FIRST, "first", [service, timedelta(seconds=SILENCE)])
            holds = await _has(connection, service, tasks)
        return Standing(known, bool(first), holds)

    async def add(self, wanted: Sequence[Wanted]) -> list[Wanted]:
        """Put jobs there at once, but those that are or were there for their slots; a newer slot stands for an older.

        Gives those that were put.
        """
        async with self._transaction(alone=True) as connection:
            return [one for one in wanted if await _added(connection, one)]

    async def take(self, service: int, kinds: Sequence[str], alike: Callable[[str], Sequence[str]]) -> list[Task]:
        """Take the next task of these kinds, and all that are done at once with it; none while something is done.

        `alike` says which those are. What did not get through before is done alone, lest it keep others from getting
        through. For a service that has no task: what it seems to do was taken in an answer that never came.
        """
        async with self._transaction(alone=True) as connection:
            await _free_the_lost(connection, service)
            if await _one(connection, _BUSY, "id", [_TASK]):
                return []
            first = await _fetched(connection, service, kinds)
            if first is None or first.failures:
                return [first] if first else []
            with_it = [name for name in alike(first.name) if name in kinds]
            rows = await (await connection.execute(_FRESH, [_TASK, with_it])).fetchall()
            found, fresh = [first], [row["kind"] for row in rows]
            while more := await _fetched(connection, service, fresh):
                found.append(more)
            return found

    async def held_by(self, tasks: Sequence[Task], service: int, holder: Holder) -> bool:
        """Note which process does them; False where they are another's by now."""
        async with self._transaction() as connection:
            if not await _has(connection, service, tasks):
                return False
            note = Jsonb({"holder": {"host": holder.host, "pid": holder.pid}})
            await connection.execute(_NOTE, [note, [task.number for task in tasks]])
        return True

    async def end(self, service: int, endings: Sequence[Ending]) -> bool:
        """Say what has become of all that a service did; False where it is another's by now.

        What is given back waits behind what did not fail, and all of it for the same moment, so that it stays together.
        """
        async with self._transaction(alone=True) as connection:
            if not await _has(connection, service, [ending.task for ending in endings]):
                return False
            for ending in endings:
                await _end(connection, ending)
        return True

    async def hurry(self) -> None:
        """Have what waits for another try taken now, and what was given up tried again."""
        async with self._transaction(alone=True) as connection:
            await connection.execute(_HURRY, [_TASK])
            await connection.execute(_AGAIN, [_TASK])

    async def shown(self) -> tuple[int, list[Shown]]:
        """Give how many services live, and what they do and will. UserError where nobody has made the queue yet."""
        async with self._transaction() as connection:
            if await _one(connection, _THERE, "found") is None:
                raise UserError("there is no queue in this database yet; `pacslake queue init` makes one")
            alive = "SELECT count(*) AS n FROM procrastinate_workers WHERE last_heartbeat > now() - %s"
            services = int(await _one(connection, alive, "n", [timedelta(seconds=SILENCE)]))
            found = await connection.execute(_SHOW, [_TASK])
            return services, [_shown(row) for row in await found.fetchall()]


async def _added(connection: psycopg.AsyncConnection[DictRow], wanted: Wanted) -> bool:
    """Put a job there, unless it is or was there for this slot; say whether."""
    rows = await (await connection.execute(_ALIKE, [wanted.name])).fetchall()
    if any(row["slot"] == wanted.slot_text for row in rows):
        return False
    old = [row for row in rows if row["status"] != "doing"]
    lost = [one for row in old if row["status"] == "todo" for one in row["lost"] or ()]
    await connection.execute("DELETE FROM procrastinate_jobs WHERE id = ANY(%s)", [[row["id"] for row in old]])
    args = Jsonb({"name": wanted.name, "slot": wanted.slot_text, "lost": lost})
    values = {"kind": wanted.kind or wanted.name, "task": _TASK, "lock": wanted.lock, "name": wanted.name}
    await connection.execute(_ADD, {**values, "args": args})
    return True


async def _fetched(connection: psycopg.AsyncConnection[DictRow], service: int, kinds: Sequence[str]) -> Task | None:
    """Take the next task of these kinds, None while there is none."""
    found = await connection.execute(queries["fetch_job"], {"queues": list(kinds), "worker_id": service})
    row = await found.fetchone()
    if row is None or row["id"] is None:
        return None
    try:
        return Task.of(row)
    except (ValueError, KeyError, TypeError):  # whoever put it there, it is none of ours
        await connection.execute("SELECT procrastinate_finish_job_v1(%s, 'failed', false)", [row["id"]])
        return None


async def _has(connection: psycopg.AsyncConnection[DictRow], service: int, tasks: Sequence[Task]) -> bool:
    """Whether tasks are a service's own still, all of them."""
    found = await connection.execute(_MINE, [[task.number for task in tasks], service])
    return len(await found.fetchall()) == len(tasks)


async def _end(connection: psycopg.AsyncConnection[DictRow], ending: Ending) -> None:
    number = ending.task.number
    if ending.again_in is None:
        state, delete = ("failed", False) if ending.given_up else ("succeeded", not ending.kept)
        await connection.execute("SELECT procrastinate_finish_job_v1(%s, %s, %s)", [number, state, delete])
        return
    await connection.execute(_ABSORB, {"id": number})
    await connection.execute(_RETRY, [number, timedelta(seconds=ending.again_in), -ending.failures])
    await connection.execute(_NOTE, [Jsonb({"failures": ending.failures}), [number]])


async def _free_the_lost(connection: psycopg.AsyncConnection[DictRow], service: int) -> None:
    """Give back what those did who are silent, and forget them; and what a service has without knowing it."""
    silence = timedelta(seconds=SILENCE)
    found = await connection.execute(_SILENT, [_TASK, silence, service])
    for row in await found.fetchall():
        await connection.execute(_LOST, [row["id"]])
        await connection.execute(_ABSORB, {"id": row["id"]})
        await connection.execute(_RETRY, [row["id"], timedelta(), None])
    await connection.execute("DELETE FROM procrastinate_workers WHERE last_heartbeat < now() - %s", [silence])


async def _one(
    connection: psycopg.AsyncConnection[DictRow], query: Any, name: str, values: Sequence[object] = ()
) -> Any:
    """Give one value of the first row, None without one."""
    row = await (await connection.execute(query, values or None)).fetchone()
    return None if row is None else row[name]


def _shown(row: DictRow) -> Shown:
    told = row["args"]
    holder = told.get("holder") or {}
    return Shown(
        str(told.get("name")),
        row["state"],
        str(told.get("slot")),
        int(told.get("failures", 0)),
        row["scheduled_at"],
        row["since"] if row["state"] == "doing" else None,
        holder.get("host"),
        holder.get("pid"),
    )


def _reason(error: BaseException) -> str:
    """Say in one line what PostgreSQL or the network said; neither knows the password."""
    return (str(error) or f"no answer within {ANSWER:.0f} s").splitlines()[0].strip()
