"""Storage SCP (PS3.4 B.2): listens, and takes what PACS send to us into a store.

A process of its own (`listener.py`) listens and fills the spool; what it tells of is made durable, named and reported
here. One that dies is begun anew. Touches: network, disk, clock, processes.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import structlog
from pynetdicom import ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts

from crawler import tls
from crawler.errors import UserError
from crawler.identity import TlsListen
from crawler.model import AETitle, Limits, Quota
from crawler.pacs import command as dimse
from crawler.pacs import strangers
from crawler.pacs.acceptor import Rejection
from crawler.pacs.negotiation import EXPLICIT_VR, IMPLICIT_VR
from crawler.retrieve import line
from crawler.retrieve.expectation import Expectation, Sender
from crawler.retrieve.groups import Aside
from crawler.retrieve.incoming import Arrived
from crawler.retrieve.instance import MEANINGS
from crawler.retrieve.layout import Layout, by_hash
from crawler.retrieve.line import Line
from crawler.retrieve.storing import Report, Storing

_TRANSFER_SYNTAXES = tuple(dict.fromkeys((EXPLICIT_VR, IMPLICIT_VR, *ALL_TRANSFER_SYNTAXES)))
"""Any will do, since objects are kept as they are sent. Who proposes several for one context can convert, and is asked
for Explicit VR: nothing is compressed on the way that was not, and private elements keep their VR."""
_STORAGE = tuple(str(context.abstract_syntax) for context in AllStoragePresentationContexts)
SYNTAXES = {dimse.VERIFICATION: (IMPLICIT_VR,), **dict.fromkeys(_STORAGE, _TRANSFER_SYNTAXES)}
"""What may be sent here: abstract syntax -> transfer syntaxes in order of preference."""


LARGEST_COMMAND = 64 * 1024
_REST, _LONGEST_REST = 0.5, 60.0
"""Seconds before a process that ended is begun anew; each time twice as long."""
_PATIENCE = 3.0
"""Seconds that it has to end when it is asked to."""
_BEGINS_WITHIN = 60.0
_DIES_WITHIN = 1.0
_LULL = 0.005
"""Seconds for which the process is not listened to after it was: to be woken by each small object costs a fifth of the
throughput. Objects gather for longer than that anyway."""
_NAME = re.compile(r"[0-9]+-[0-9]+")
_MOST_KINDS = 100
"""Of rejections that are told apart, by the process that listens too."""


@dataclass(frozen=True, slots=True)
class Receiving:
    """Where to listen, for whom, and where to put what comes."""

    store: Path
    ae_title: AETitle
    senders: tuple[Sender, ...]
    layout: Layout = by_hash
    quota: Quota | None = None
    """Of one sender in a day."""
    host: str = "0.0.0.0"
    port: int = 0
    max_associations: int = 25
    max_per_address: int = 10
    limits: Limits = field(default_factory=lambda: replace(Limits(), max_object=LARGEST_COMMAND))
    tls: TlsListen | None = None
    """None takes what comes in the clear, and nothing else."""

    def in_words(self) -> dict[str, Any]:
        """Give what the process that listens must know."""
        return {
            "ae_title": self.ae_title,
            "senders": line.senders_in_words(self.senders),
            "sop_classes": _STORAGE,
            "transfer_syntaxes": _TRANSFER_SYNTAXES,
            "implicit_vr": IMPLICIT_VR,
            "max_associations": self.max_associations,
            "max_per_address": self.max_per_address,
            "limits": line.limits_in_words(self.limits),
            "tls": line.tls_in_words(self.tls),
            "quota": [self.quota.objects, self.quota.size] if self.quota else None,
        }


class Receiver(Storing):
    """A store that PACS can call; `receive` makes one."""

    port = 0
    """Where it listens."""
    pid = 0
    """Of the process that does."""
    _rejections: Counter[Rejection]
    _line: Line | None = None
    _process: subprocess.Popen[bytes] | None = None

    @asynccontextmanager
    async def listening(self, receiving: Receiving, door: socket.socket) -> AsyncIterator[None]:
        """Have a process listen on a socket while the block runs."""
        self.port = door.getsockname()[1]
        self._rejections = Counter()
        self._ready, self._ended, self._closing = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._begin(receiving, door)
        keeping = asyncio.create_task(self._keep(receiving, door))
        try:
            await self._until_ready(keeping)
            yield
        finally:
            self._closing.set()
            if self._line is not None:
                self._line.channel.shutdown(socket.SHUT_WR)
            await asyncio.wait([keeping], timeout=_PATIENCE)
            if self._process is not None:
                self._process.kill()
            await keeping

    async def settled(self) -> None:
        """Wait until everything is reported that was answered with success."""
        self._hear()
        await super().settled()

    @property
    def trouble(self) -> OSError | None:
        """Why nothing can be written; every object is refused until `resume`."""
        self._hear()
        return super().trouble

    @property
    def rejections(self) -> Counter[Rejection]:
        """Who was turned away; it counts on."""
        self._hear()
        return self._rejections

    def resume(self) -> None:
        """Try to write again."""
        super().resume()
        self._post(line.TROUBLE, None)

    @property
    def expectation(self) -> Expectation:
        """What is wanted; set it at any time."""
        return self._taking.expectation

    @expectation.setter
    def expectation(self, wanted: Expectation) -> None:
        before, self._taking.expectation = self._taking.expectation, wanted
        self._tell_wanted(wanted, before)

    async def _until_ready(self, keeping: asyncio.Task[None]) -> None:
        ready, ended = (asyncio.create_task(one.wait()) for one in (self._ready, self._ended))
        await asyncio.wait([ready, ended, keeping], timeout=_BEGINS_WITHIN, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        ended.cancel()
        if not self._ready.is_set():
            raise UserError("the process that receives objects does not begin; what it says stands above, if anything")

    def _begin(self, receiving: Receiving, door: socket.socket) -> None:
        folder = self._spool.opened_again()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        given = theirs.fileno(), door.fileno(), folder
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "crawler.retrieve.listener", *map(str, (*given, os.getpid()))],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=given,
                process_group=0,  # Ctrl-C in a terminal is for us
            )
        except OSError:
            ours.close()
            raise
        finally:
            os.close(folder)
            theirs.close()
        self.pid, self._line = self._process.pid, Line(ours)
        counts = self._spool.intake.counts
        self._post(line.SETTINGS, {**receiving.in_words(), "taken": counts.taken if counts else {}})
        self._tell_wanted(self.expectation, Expectation(), is_first=True)
        if self._spool.intake.trouble is not None:
            self._post(line.TROUBLE, self._spool.intake.trouble.errno)
        self._listen(self._line)

    async def _keep(self, receiving: Receiving, door: socket.socket) -> None:
        """Begin the process anew where it ends."""
        loop, rest = asyncio.get_running_loop(), _REST
        began = loop.time()
        while True:
            await self._ended.wait()
            code = await asyncio.to_thread(self._process.wait) if self._process else 0
            await self.groups.settled()
            with suppress(OSError):
                self._spool.clear(f"{self.pid}-")
            if self._closing.is_set() or not self._ready.is_set():
                return
            if loop.time() - began > _LONGEST_REST:
                rest = _REST
            structlog.get_logger().error("receiving objects ended, begins again", exit_code=code, seconds=rest)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), rest)
                return
            rest = min(rest * 2, _LONGEST_REST)
            self._ended.clear()
            began = loop.time()
            try:
                self._begin(receiving, door)
            except OSError:  # there is no memory, or no descriptor, now
                self._ended.set()

    def _tell_wanted(self, wanted: Expectation, before: Expectation, *, is_first: bool = False) -> None:
        """Send what is wanted: what is new of it, unless something is wanted no more."""
        if not (before.studies <= wanted.studies and before.series <= wanted.series):
            before, is_first = Expectation(), True
        everything = wanted.accept_unsolicited
        self._post(line.EXPECT, is_first, [], [], everything)
        for studies in line.of_uids(wanted.studies - before.studies):
            self._post(line.EXPECT, False, studies, [], everything)
        for series in line.of_uids(wanted.series - before.series):
            self._post(line.EXPECT, False, [], series, everything)

    async def _settle(self, group: list[Arrived], aside: Aside) -> None:
        try:
            await super()._settle(group, aside)
        except BaseException:
            self._post(line.OVER)
            raise
        self._post(line.DONE, len(group))
        if self._spool.intake.trouble is not None:
            self._post(line.TROUBLE, self._spool.intake.trouble.errno)

    def _post(self, *packet: Any) -> None:
        if self._line is not None:
            self._line.post(*packet)

    def _listen(self, to: Line) -> None:
        if to is self._line:
            asyncio.get_running_loop().add_reader(to.channel, self._listened, to)

    def _listened(self, to: Line) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(to.channel)
        loop.call_later(_LULL, self._listen, to)
        self._hear()

    def _hear(self) -> None:
        """Take what the process has said, to the end of what is there."""
        if self._line is None:
            return
        try:
            for packet in self._line.received():
                if packet is None:
                    self._hang_up()
                else:
                    self._take(*packet)
        except (ValueError, TypeError, AttributeError):
            structlog.get_logger().error("the process that receives objects said what it should not; it is ended")
            self._hang_up()

    def _hang_up(self) -> None:
        assert self._line is not None
        asyncio.get_running_loop().remove_reader(self._line.channel)
        self._line.close()
        self._line = None
        if self._process is not None:
            self._process.kill()
        self._ended.set()

    def _take(self, kind: str, *said: Any) -> None:
        """Take what is said by a process that hostile bytes may have misused. ValueError, TypeError, AttributeError."""
        log = structlog.get_logger()
        match kind:
            case line.READY:
                self._ready.set()
            case line.KEPT:
                self._arrived(line.arrived_of(*said))
            case line.REFUSED:
                (status,) = said
                if status not in MEANINGS:
                    raise ValueError("no status that it may give")
                self.refusals[status] += 1
            case line.REJECTED:
                calling, called, address, (result, source, reason), count = said
                rejection = Rejection(str(calling), str(called), str(address), (int(result), int(source), int(reason)))
                if rejection in self._rejections or len(self._rejections) < _MOST_KINDS:
                    self._rejections[rejection] += int(count)
            case line.TROUBLE:
                (number,) = said
                self._spool.intake.trouble = OSError(int(number), os.strerror(int(number)))
            case line.SPENT:
                if self._spool.intake.counts is not None:
                    self._spool.intake.counts.spent(str(*said))
            case line.CLOSED:
                count, host, why, others = said
                strangers.in_log(int(count), str(host), str(why), int(others))
            case line.UNEXPECTED:
                error, at = map(str, said)
                log.error("unexpected", error=error, at=at)
            case _:
                raise ValueError("nothing that is said")

    def _arrived(self, arrived: Arrived) -> None:
        if not _NAME.fullmatch(arrived.name) or not arrived.name.startswith(f"{self.pid}-"):
            raise ValueError("no name that it may give")
        if not self._spool.has(arrived):
            raise ValueError("no file that it wrote")
        if self._spool.intake.counts is not None:
            self._spool.intake.counts.add(arrived.instance.source_ae, 1, arrived.size)
        self.groups.add(arrived)


@asynccontextmanager
async def receive(receiving: Receiving, report: Report) -> AsyncIterator[Receiver]:
    """Listen for objects until the block ends; what was answered with success is then reported.

    Raises UserError when another process owns the store or a file of `tls` is wrong, OSError when the port cannot be
    had, and what `report` raised.
    """
    async with Receiver.opened(receiving.store, report, receiving.layout, receiving.quota) as receiver:
        if receiving.tls is not None:
            tls.listening(receiving.tls)
        with await _door(receiving.host, receiving.port) as door:
            async with receiver.listening(receiving, door):
                yield receiver


async def _door(host: str, port: int) -> socket.socket:
    """Take an address. OSError where it cannot be had, nor soon: who was killed leaves a process that is dying."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    until = asyncio.get_running_loop().time() + _DIES_WITHIN
    while True:
        try:
            return socket.create_server((host, port), family=family)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or asyncio.get_running_loop().time() > until:
                raise
        await asyncio.sleep(_DIES_WITHIN / 20)
