"""The lake answers C-FIND: a process of its own beside the service, on a socket that the service has bound.

The settings come on standard input, which the service holds open: where that ends, the service has died. `find_process`
begins it. Touches: network, disk, clock, signals, standard input and error.
"""

from __future__ import annotations

import asyncio
import gc
import os
import pickle
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from hmac import compare_digest

import structlog

from crawler.errors import LakeError, NoLakeError
from crawler.pacs.acceptor import Acceptor
from crawler.pacs.passwords import line_of
from crawler.pacs.storage import Place
from crawler.retrieve.expectation import Sender, admits
from crawler.serve.audit import Audit
from crawler.serve.find.answering import LakeAnswers
from crawler.serve.find.scp import Allowance, Allowances, FindScp
from crawler.settings import FindScpSettings, Settings
from jobs.find_process import Folders, there
from jobs.passing_on import PassingOn
from jobs.wiring import start_logging

GLANCE = 1.0
"""Seconds between looks for a new commit."""
ANEW = 75
"""The exit code where it has to be started anew: a lake has come, or was replaced, in which it may not write."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What the process is started with."""

    settings: Settings
    descriptor: int
    """Of the socket to listen on."""
    log_level: str


class Answering:
    """Answers from a lake, and follows it."""

    def __init__(self, settings: Settings, folders: Folders) -> None:
        self._settings = settings
        self._folders = folders
        self.is_outdated = False
        """Whether it ended because the folders that it is confined to are there no longer, or others."""
        self._answers: LakeAnswers | None = None
        told = settings.find_scp
        self._scp = FindScp(lambda: self._answers, Audit(settings.lake.path), _allowances(told))
        self._scp.always_relational = told.always_relational
        self._scp.store, self._scp.destinations = settings.local.store_path, places_of(settings)
        self._scp.forwarder = PassingOn(settings) if told.forward else None
        self._log = structlog.get_logger()

    async def run(self, channel: socket.socket) -> None:
        """Answer until a signal says stop."""
        stopping, told = asyncio.Event(), self._settings.find_scp
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        senders = [Sender.of(text) for text in told.allow]
        allowed = (lambda ae_title, address: admits(senders, ae_title, address)) if senders else None
        ae_title = told.ae_title or self._settings.local.ae_title
        await self._follow()
        service = self._scp.service(ae_title, allowed, told.max_associations)
        service = replace(service, tls=told.tls_listen("find_scp"), knows=users_of(told))
        async with Acceptor(service, self._scp.answer) as acceptor:
            await acceptor.listen_on(channel)
            self._log.info("answering queries", port=acceptor.port, ae_title=ae_title, tls=service.tls is not None)
            while not stopping.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), GLANCE)
                if self._folders != there(self._settings.lake.path):
                    self.is_outdated = True
                    break
                await self._follow()
        self._scp.close()
        if self._answers is not None:
            self._answers.close()

    async def _follow(self) -> None:
        """Show the newest commit; what cannot be read is shown as it was."""
        try:
            await asyncio.to_thread(self._look)
        except NoLakeError:
            return  # until the first sweep
        except LakeError as error:
            self._log.warning("the newest commit cannot be shown", reason=str(error))

    def _look(self) -> None:
        if self._answers is not None:
            if self._answers.refresh():
                self._scp.offer(self._answers.kinds())
                known = self._answers.known
                self._log.info("lake shown", version=known.version, as_of=str(known.as_of))
            return
        told = self._settings.find_scp
        shown = ((name, pacs) for name, pacs in self._settings.pacs.items() if name in (told.pacs or (name,)))
        titles = {name: "" if pacs.web else pacs.ae_title for name, pacs in shown}
        self._answers = LakeAnswers(self._settings.lake.path, titles, told.charset)


def users_of(told: FindScpSettings) -> Callable[[str, tuple[str, str] | None], bool] | None:
    """Give what says whether somebody may be the user that they say; None where nobody must be one. UserError."""
    known = {
        str(name): (one.username, line_of(one.password_file) if one.password_file else None)
        for name, one in told.callers.items()
        if one.username
    }

    def is_known(ae_title: str, user: tuple[str, str] | None) -> bool:
        if ae_title not in known:
            return True
        username, passcode = known[ae_title]
        is_right = passcode is None or compare_digest((user or ("", ""))[1].encode(), passcode.encode())
        return user is not None and user[0] == username and is_right

    return is_known if known else None


def places_of(settings: Settings) -> dict[str, Place]:
    """Say where the destinations are, and how they are called."""
    told = settings.find_scp
    ours = told.identity("find_scp") or settings.local.identity("local")
    places = {}
    for name, one in told.destinations.items():
        host, port = one.place
        places[str(name)] = Place(host, port, one.tls_call(f"find_scp.destinations.{name}", host, ours))
    return places


def _allowances(told: FindScpSettings) -> Allowances:
    single = {str(name): Allowance(one.max_rows, one.max_queries_per_minute) for name, one in told.callers.items()}
    return Allowances(Allowance(told.max_rows, told.max_queries_per_minute), single)


def _stop_with_the_service() -> None:
    """Wait for the end of standard input, then stop as if asked to."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def answer_queries(folders: Folders) -> None:
    """Read what to do, and do it; `folders` are those of the lake to which the process is confined."""
    errand: Errand = pickle.load(sys.stdin.buffer)
    start_logging(errand.log_level)
    threading.Thread(target=_stop_with_the_service, daemon=True).start()
    gc.freeze()  # what libraries have loaded is no garbage, and need not be looked through for it
    with socket.socket(fileno=errand.descriptor) as channel:
        answering = Answering(errand.settings, folders)
        asyncio.run(answering.run(channel))
    if answering.is_outdated:
        sys.exit(ANEW)
