"""The service where its jobs are shared with others: what is due goes into a queue, and whoever is free takes it.

A lake has one writer: all PACS of a sweep are crawled at once by one process, other jobs are done one after the other.
Touches: network, disk, clock, signals, the machine's name.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from crawler.errors import LakeError, QueueError
from crawler.lake.lock import OwnerLock
from crawler.lake.log import open_table
from crawler.plan.due import EPOCH
from crawler.queue.tasks import LET_GO, Ending, Task, Wanted
from crawler.settings import Settings
from jobs.alerts import Alerts
from jobs.doing import DONE
from jobs.exits import Exit
from jobs.holds import NEVER, NOT_NOW
from jobs.membership import Membership
from jobs.scheduler import Ticker
from jobs.service import Service
from jobs.shared_jobs import queue_at
from jobs.start import Start
from jobs.units import LAKE, alike, lock_of, shared
from jobs.worker import Order

POLL = 2.0
"""Seconds between looks at the queue."""
LOOK_EVERY = 1.0
BUSY = 5.0
"""Seconds until tasks are tried again that found somebody in the lake."""


class QueuedService(Service):
    """Puts what is due into the queue, takes from it what it can do."""

    def __init__(self, file: Path, settings: Settings, start: Start) -> None:
        super().__init__(file, settings, start)
        url, secret = str(start.queue), settings.serve.queue_password_file
        queue_at(url, secret)
        self._refused: str | None = None
        """Why the queue could not be used when it was last."""
        self._member = Membership(lambda: queue_at(url, secret), partial(_lake_id, settings.lake.path), self.stopping)

    def _obey(self, settings: Settings) -> None:
        super()._obey(shared(settings))

    async def run(self, lock: OwnerLock) -> None:
        """Serve until a signal says stop; then give back what was under way."""
        living = asyncio.create_task(self._member.run())
        living.add_done_callback(lambda _: self.stop())
        try:
            await super().run(lock)
        finally:
            living.cancel()
            await asyncio.wait([living])
            await self._member.leave()
        with suppress(asyncio.CancelledError):
            living.result()  # where it ended by itself, nothing could be done here

    def stop(self) -> None:
        """Stop the job under way, begin no other."""
        super().stop()
        self._member.stop()

    def wake(self) -> None:
        """Look at the ledger now, and have tried again what did not get through, whoever does it."""
        super().wake()
        self._hurrying = asyncio.create_task(self._member.hurry())

    async def _alert(self) -> None:
        """Alert while this service is the first of those that live: one of them does, and takes up what was told."""
        alerting: asyncio.Task[None] | None = None
        try:
            while True:
                if self._member.is_first and alerting is None:
                    self._alerts = Alerts(self._known)
                    alerting = asyncio.create_task(self._alerts.run())
                    alerting.add_done_callback(self._say_why)
                elif not self._member.is_first and alerting is not None:
                    alerting.cancel()
                    alerting = None
                await asyncio.sleep(LOOK_EVERY)
        finally:
            if alerting is not None:
                alerting.cancel()
                await asyncio.wait([alerting])

    async def _look(self, ticker: Ticker) -> None:
        """Put into the queue what is due, do what can be taken from it, or wait."""
        now, done = datetime.now(UTC), await asyncio.to_thread(self._lake.done)
        try:
            await self._member.add([_wanted(order) for order in self._orders(now, done)])
            kinds = [*self.settings.jobs, LAKE, requests_here(self.settings)]
            if tasks := await self._member.take(kinds, partial(alike, self.settings)):
                await self._carry_out(tasks, await asyncio.to_thread(self._lake.done, fresh=True))
                self._uncounted = True
                return
            self._refused = None
        except QueueError as error:
            if str(error) != self._refused:
                self._log.warning("nothing can be taken from the queue", reason=str(error))
            self._refused = str(error)
        if not (self._member.is_first and await self._count(now)):
            await self._wait(ticker, done, now, POLL)

    async def _carry_out(self, tasks: Sequence[Task], done: Mapping[str, list[datetime]]) -> None:
        """Do tasks at once, and say in the queue what has become of each."""
        leash = self._member.begin(tasks)
        found = [(task, self._order_of(task, done)) for task in tasks]
        due = {order.name: (task, order) for task, order in found if order}
        endings = [self._over(task) for task, order in found if not order]
        if due:
            shut_out(self.settings.lake.path, tasks)
            (_, first), *others = due.values()
            order = replace(first, beside={order.name: order.slot for _, order in others})
            for name, (code, pause) in (await self._doer.do(order, leash)).items():
                endings.append(self._ending(due[name][0], code, pause))
        await self._member.end(endings)

    def _over(self, task: Task) -> Ending:
        return Ending(task, kept=task.name in self.settings.jobs)

    def _ending(self, task: Task, code: int, pause: float) -> Ending:
        """Say what becomes of a task that ended with this exit code, and may be tried again after so many seconds."""
        if code in DONE:
            return self._over(task)
        if pause == NEVER:
            return Ending(task, given_up=True)
        failures = task.failures + (code not in NOT_NOW and pause > 0)
        return Ending(task, BUSY if code == Exit.LOCKED else pause, failures)

    def _order_of(self, task: Task, done: Mapping[str, list[datetime]]) -> Order | None:
        """Say what a task is here; None where it is done already, or was never anything."""
        if task.name in self.settings.jobs:
            found = None if task.slot in done.get(task.name, ()) else self._order(task.slot, task.name)
        else:
            orders = self._orders(datetime.now(UTC), done)
            found = next((order for order in orders if _wanted(order).name == task.name), None)
        return replace(found, failures=task.failures, pulse=LET_GO) if found else None


def _wanted(order: Order) -> Wanted:
    """Put an order as the queue knows it."""
    if order.name in order.settings.jobs:
        return Wanted(order.name, order.slot, lock_of(order.settings, order.name))
    if order.new:
        return Wanted(f"{order.name} {' '.join(order.new)}", EPOCH, LAKE, LAKE)
    return Wanted(order.name, order.slot, LAKE, requests_here(order.settings))


def _lake_id(lake: Path) -> str | None:
    """Give what tells a lake from all others; None while there is none, or it cannot be read."""
    with suppress(LakeError):
        return str(open_table(lake).metadata().id)
    return None


def requests_here(settings: Settings) -> str:
    """Say who can do what people ask for: whoever has the lake's folder; of a lake in a bucket, each has one."""
    return f"{LAKE} on {socket.gethostname()}" if settings.lake.place else f"{LAKE} requests"


def shut_out(lake: Path, tasks: Sequence[Task]) -> None:
    """Take the lake from a process that did one of these and fell silent, wherever it is.

    Its lock may still hold: of a machine that is frozen, or that a file server has not yet given up. The next owner
    finds another file, and so does not trust that the one before has ended: it fences it off.
    """
    file = lake / "lock"
    with suppress(OSError):
        text = file.read_text(encoding="utf-8")
        if any(holder.is_named_in(text) for task in tasks for holder in task.lost):
            file.unlink()
