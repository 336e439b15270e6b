"""One service among several: it says that it lives, takes a task, and lets go of it before another may have it.

Touches: network, clock, the machine's name.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog

from crawler.errors import QueueError
from crawler.queue.postgres import Queue
from crawler.queue.tasks import BEAT, Ending, Holder, Lease, Task, Wanted, Word
from jobs.worker import Leash

GUARD_EVERY = 0.5
REMEMBERED = 60.0
"""Seconds for which a job that was put into the queue is taken to be there."""


class Membership:
    """What the queue knows of this service, and the tasks that it does."""

    def __init__(self, connect: Callable[[], Queue], lake: Callable[[], str | None], stopping: asyncio.Event) -> None:
        self._lake, self._is_ours = lake, False
        self._stopping = stopping
        self._queue, self._pulse = connect(), connect()
        self._service: int | None = None
        self._lease = Lease(time.monotonic())
        self._tasks: Sequence[Task] = ()
        self._leash: Leash | None = None
        self._added: dict[str, tuple[str, float]] = {}
        self._log = structlog.get_logger()
        self._away = False
        self.is_first = False
        """Whether it has been there the longest of those that live."""

    async def run(self) -> None:
        """Come, and live until cancelled."""
        guard = asyncio.create_task(self._guard())
        try:
            while True:
                await self._beat()
                await asyncio.sleep(BEAT)
        finally:
            guard.cancel()
            await asyncio.wait([guard])

    async def leave(self) -> None:
        """Go, so that nobody waits for a sign of life."""
        with suppress(QueueError):
            if self._service is not None:
                await self._queue.leave(self._service)
        await self._queue.close()
        await self._pulse.close()

    async def add(self, wanted: Sequence[Wanted]) -> None:
        """Put jobs into the queue at once, those that are not there."""
        news = [one for one in wanted if not self._is_known(one)]
        for one in await self._queue.add(news) if news else ():
            self._log.info("job is in the queue", job=one.name, due_at=f"{one.slot:%Y-%m-%dT%H:%M:%SZ}")
        self._added |= {one.name: (one.slot_text, time.monotonic()) for one in news}

    def _is_known(self, wanted: Wanted) -> bool:
        slot, at = self._added.get(wanted.name, ("", 0.0))
        return slot == wanted.slot_text and time.monotonic() - at < REMEMBERED

    async def take(self, kinds: Sequence[str], alike: Callable[[str], Sequence[str]]) -> list[Task]:
        """Take a task, and those that are done at once with it, while this service surely counts as living."""
        if self._service is None or self._lease.word(time.monotonic()) is not Word.GO_ON:
            return []
        if not self._is_ours and (lake := await asyncio.to_thread(self._lake)):
            await self._queue.prepare(lake)
            self._is_ours = True
        return await self._queue.take(self._service, kinds, alike)

    def begin(self, tasks: Sequence[Task]) -> Leash:
        """Give the leash by which tasks are stopped; with it, they are known to be done here."""
        self._tasks, self._leash = tasks, Leash(asyncio.Event(), begins=self._note)
        if self._stopping.is_set():
            self._leash.stop.set()
        return self._leash

    def stop(self) -> None:
        """Have what is under way end."""
        if self._leash:
            self._leash.stop.set()

    async def end(self, endings: Sequence[Ending]) -> None:
        """Tell what has become of the tasks, again and again until it is heard."""
        service, self._tasks, self._leash = self._service, (), None
        while service is not None:
            try:
                if not await self._queue.end(service, endings):
                    names = [ending.task.name for ending in endings]
                    self._log.warning("another service has taken the job meanwhile", job=", ".join(names))
                return
            except QueueError:
                if self._stopping.is_set():  # whoever finds us silent takes them
                    return
                await asyncio.sleep(BEAT)

    async def hurry(self) -> None:
        """Have everything tried again that waits for that."""
        with suppress(QueueError):
            await self._queue.hurry()

    async def _note(self, pid: int) -> bool:
        """Have others know which process does the tasks, so that they can shut it out should we fall silent."""
        holds = False
        with suppress(QueueError):
            if self._tasks and self._service is not None:
                holds = await self._queue.held_by(self._tasks, self._service, Holder(socket.gethostname(), pid))
        if not holds:
            self._drop("the queue has not noted who does it")
        return holds

    async def _beat(self) -> None:
        """Give a sign of life, and hear whether the tasks are ours still."""
        sent, tasks, service = time.monotonic(), self._tasks, self._service
        try:
            if service is None:
                await self._pulse.prepare()
                self._service = await self._pulse.join()
            else:
                standing = await self._pulse.beat(service, tasks)
                self.is_first = standing.first
                if tasks and tasks is self._tasks and not (standing.known and standing.holds):
                    self._drop("another service has taken the job")
                if not standing.known:
                    self._service = None
                    return
        except QueueError as error:
            if not self._away:
                self._log.warning("the queue cannot be reached; nothing new is begun", reason=str(error))
            self._away = True
            if self._lease.word(time.monotonic()) is Word.DROP:  # others take it for dead, or its tables are gone
                self._service, self._is_ours = None, False
            return
        if self._away:
            self._log.info("the queue is back")
        self._away = False
        self._lease.renewed(sent)

    async def _guard(self) -> None:
        """End what is under way in time when nobody hears us, by a clock that needs no network."""
        looked = time.monotonic()
        while True:
            await asyncio.sleep(GUARD_EVERY)
            before, looked = looked, time.monotonic()
            if looked - before > BEAT:  # it was paused: others may have come first
                self.is_first = False
            word = self._lease.word(looked)
            if word is Word.END and self._leash and not self._leash.stop.is_set():
                self._log.warning("the job is stopped: the queue has not heard of this service")
                self._leash.stop.set()
            elif word is Word.DROP:
                self._drop("the queue has not heard of this service for too long")

    def _drop(self, why: str) -> None:
        if self._leash and not self._leash.cut.is_set():
            self._log.warning("the job is dropped at once", reason=why)
            self._leash.cut.set()
