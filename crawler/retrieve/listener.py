"""The process that listens for objects, `python -m crawler.retrieve.listener`: only `receiver.py` starts it.

Whatever bytes make of it, it can fill the spool's folder and do nothing else. An object is told of before it is
answered with success: killing this process loses none. It says all through its line, and ends where that ends, or with
its parent. Touches: network, disk, its own process.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from crawler.confine import Confines, confine, limit_data
from crawler.model import Limits, Quota
from crawler.orphans import ender
from crawler.pacs import command as dimse
from crawler.pacs.acceptor import AcceptedAssociation, Acceptor, Rejection, Service
from crawler.pacs.messages import Message, Sink
from crawler.pacs.strangers import Strangers
from crawler.retrieve import line
from crawler.retrieve.expectation import Expectation, admits
from crawler.retrieve.incoming import Incoming, Intake
from crawler.retrieve.instance import MEANINGS, SUCCESS
from crawler.retrieve.line import Line
from crawler.retrieve.quota import Counted
from crawler.retrieve.taking import Taking
from crawler.unexpected import describe, place_of, tell_no_values

MEMORY = 512 << 20
"""Bytes that it may take: it begins with some 30 MB, and a million series that are expected are 200 MB."""
_MOST_WAITING = 512
"""Objects that may wait to be settled; then their senders wait with them."""
_GLANCE = 0.05
"""Seconds between looks whether there is room."""


class Listener:
    """Takes objects from senders, and tells of them."""

    def __init__(self, told: dict[str, Any], way: Line, folder: int) -> None:
        self._told = told
        self._line = way
        self._ended = asyncio.Event()
        self._waiting = 0
        self._refused: Counter[int] = Counter()
        self._rejected: Counter[Rejection] = Counter()
        counts = Counted(Quota(*told["quota"]), told["taken"], self._spent) if told["quota"] else None
        self._intake = Intake(folder, f"{os.getpid()}-", counts)
        self._has_trouble = False
        """Whether it was told of."""
        self._taking = Taking(self._intake, self._hear)
        self._strangers = Strangers(lambda *said: way.post(line.CLOSED, *said))
        self._acceptor = Acceptor(self._service(), self.answer)

    async def run(self, listening: socket.socket) -> None:
        """Listen until the other end of the line is closed."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._unexpected)
        loop.add_reader(self._line.channel, self._hear)
        async with self._acceptor as acceptor:
            await acceptor.listen_on(listening)
            self._line.post(line.READY)
            await self._ended.wait()

    def answers(self, assoc: AcceptedAssociation, request: Message) -> bool:
        """Answer a request, if there is room for what it brings."""
        status = self._end(request)
        if status is not None:
            assoc.respond(request, status, comment=MEANINGS.get(status, ""))
        return status is not None

    async def answer(self, assoc: AcceptedAssociation, request: Message) -> None:
        """Answer a request when there is room."""
        while (status := self._end(request)) is None:
            try:
                await asyncio.sleep(_GLANCE)
            except asyncio.CancelledError:
                if request.sink is not None:
                    request.sink.discard()
                raise
        assoc.respond(request, status, comment=MEANINGS.get(status, ""))

    def _service(self) -> Service:
        told = self._told
        senders, transfer_syntaxes = line.senders_of(told["senders"]), tuple(told["transfer_syntaxes"])
        syntaxes = dict.fromkeys(told["sop_classes"], transfer_syntaxes)
        return Service(
            syntaxes={dimse.VERIFICATION: (told["implicit_vr"],), **syntaxes},
            ae_title=told["ae_title"],
            admits=lambda ae_title, address: admits(senders, ae_title, address),
            sink_for=self._sink_for,
            answers=self.answers,
            turned_away=self._turned_away,
            max_associations=told["max_associations"],
            max_per_address=told["max_per_address"],
            limits=Limits(**told["limits"]),
            tls=line.tls_of(told["tls"]),
        )

    def _sink_for(self, assoc: AcceptedAssociation, context_id: int, command: dimse.Command) -> Sink | None:
        return self._taking.begin(assoc.contexts[context_id], command, assoc.calling_ae)

    def _end(self, request: Message) -> int | None:
        """Give the status that a request deserves; None while nobody can be told of what it brings."""
        if isinstance(request.sink, Incoming) and (self._waiting >= _MOST_WAITING or self._line.is_behind):
            return None
        status = self._taking.end(request)
        if status == SUCCESS and isinstance(request.sink, Incoming):
            if not self._line.send(line.KEPT, *line.arrived_in_words(request.sink.arrived)):
                return None
            self._waiting += 1
        elif request.command.field == dimse.C_STORE_RQ:
            self._line.post(line.REFUSED, status)
        self._tell_of_trouble()
        return status

    def _tell_of_trouble(self) -> None:
        trouble = self._intake.trouble
        if trouble is not None and not self._has_trouble:
            self._has_trouble = True
            self._line.post(line.TROUBLE, trouble.errno)

    def _spent(self, ae_title: str, _objects: int, _size: int) -> None:
        self._line.post(line.SPENT, ae_title)

    def _turned_away(self, address: str, why: str) -> None:
        self._strangers(address, why)
        for rejection, count in (self._acceptor.rejections - self._rejected).items():
            self._line.post(line.REJECTED, *rejection, count)
        self._rejected = Counter(self._acceptor.rejections)

    def _hear(self) -> None:
        for packet in self._line.received():
            match packet:
                case None:
                    asyncio.get_running_loop().remove_reader(self._line.channel)
                    self._ended.set()
                case [line.EXPECT, is_first, studies, series, everything]:
                    before = Expectation() if is_first else self._taking.expectation
                    self._taking.expectation = Expectation(
                        before.studies.union(studies), before.series.union(series), everything
                    )
                case [line.DONE, count]:
                    self._waiting = max(self._waiting - count, 0)
                case [line.TROUBLE, number]:
                    self._has_trouble = number is not None
                    self._intake.trouble = OSError(number, os.strerror(number)) if self._has_trouble else None
                case [line.OVER]:
                    self._taking.is_over = True

    def _unexpected(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        known = [describe(error), place_of(error)] if error else [str(context["message"]).partition("\n")[0], ""]
        self._line.post(line.UNEXPECTED, *known)


def confined(folder: int, readable: Iterable[Path]) -> None:
    """Give up all but filling a folder, reading some files, and so much memory. No thread may have begun."""
    limit_data(MEMORY)
    folders = {place.parent for file in readable for place in (file, file.resolve())}
    confine(Confines(folders, filled=[Path(f"/proc/self/fd/{folder}")]))


def main(told: Iterable[str]) -> None:
    """Do so, and listen."""
    channel, listening, folder, parent = map(int, told)
    tell_no_values()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ender()()
    if os.getppid() != parent:
        return
    with socket.socket(fileno=channel) as link, socket.socket(fileno=listening) as door:
        _, settings = Line.first(link)
        way = Line(link)
        tls = line.tls_of(settings["tls"])
        confined(folder, [file.path for file in line.files_of(tls)] if tls else [])
        asyncio.run(_listen(settings, way, folder, door))


async def _listen(settings: dict[str, Any], way: Line, folder: int, door: socket.socket) -> None:
    await Listener(settings, way, folder).run(door)


if __name__ == "__main__":
    main(sys.argv[1:])
