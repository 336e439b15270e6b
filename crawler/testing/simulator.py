"""A simulated PACS: C-ECHO, C-FIND, C-MOVE and C-GET over a synthetic archive, fast enough not to be waited for.

Patient Root and Study Root, all four levels, hierarchical queries as PS3.4 C.4.1 has them; upper-level keys may be
lists of UIDs, as many PACS allow. `Simulator` runs in an event loop, `running` beside a synchronous test.
Touches: network.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from crawler.model import Level, Model
from crawler.pacs import command as dimse
from crawler.pacs import framing, sop_classes
from crawler.pacs.acceptor import AcceptedAssociation, Acceptor, Service, serve
from crawler.pacs.encoding import Constant
from crawler.pacs.messages import Message
from crawler.pacs.pending import frame_responses
from crawler.pacs.sop_classes import GET_MODELS, MOVE_MODELS
from crawler.pacs.status import CANCELLED, PENDING, PENDING_UNSUPPORTED_KEYS, SUCCESS
from crawler.testing.answers import Answers
from crawler.testing.archive import Archive
from crawler.testing.breaking import break_off
from crawler.testing.changing import ChangingArchive, TableAnswers
from crawler.testing.counts import Counts
from crawler.testing.hospital import SOP_CLASSES
from crawler.testing.matching import BadKeyError
from crawler.testing.objects import Objects
from crawler.testing.question import CHARSET, BadQuestionError, Question, read_question
from crawler.testing.quirks import Quirks, is_refused, misread, shaped
from crawler.testing.relational import hierarchical
from crawler.testing.retrieval import Retrievals

IMPLICIT_VR = "1.2.840.10008.1.2"
EXPLICIT_VR = "1.2.840.10008.1.2.1"
FIND_MODELS = {uid: model for uid, model in sop_classes.FIND_MODELS.items() if model is not Model.WORKLIST}
"""The C-FIND SOP classes (PS3.4 C.3)."""

NOT_UNDERSTOOD = 0xA900
UNRECOGNISED_OPERATION = 0x0211

_PRIVATE = (Constant(0x00090010, "LO", "SIMULATED PACS"), Constant(0x00091001, "LO", "nobody asked for this"))


class Simulator:
    """One simulated PACS. Use it as `async with Simulator(archive) as pacs:` and call `pacs.port`."""

    def __init__(
        self,
        archive: Archive | ChangingArchive,
        *,
        ae_title: str | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        quirks: Quirks | None = None,
    ) -> None:
        """Answer from `archive`. `ae_title` None answers to any; port 0 lets the system choose."""
        self.archive = archive
        self.host = host
        self.quirks = quirks or Quirks()
        self.counts = Counts()
        self.objects = Objects(archive)
        """What it sends; `objects.truth(uid)` is one instance as it really is."""
        self._retrievals = Retrievals(self.objects, self.quirks, self.counts)
        self.destinations = self._retrievals.destinations
        """AE title -> host and port: where C-MOVE may send to. Add to it at any time."""
        self._port = port
        declared = Constant(CHARSET, "CS", self.quirks.misdeclares)
        extras = (*(_PRIVATE if self.quirks.unsolicited else ()), *([declared] if declared.text else []))
        self._answers: Answers | TableAnswers
        if isinstance(archive, ChangingArchive):
            self._answers = TableAnswers(archive, extras, self.quirks.always)
        else:
            self._answers = Answers(archive, extras, self.quirks.always)
        syntaxes = (EXPLICIT_VR,) if self.quirks.explicit_vr else (IMPLICIT_VR, EXPLICIT_VR)
        offered = dict.fromkeys((*FIND_MODELS, *MOVE_MODELS, *GET_MODELS, dimse.VERIFICATION), syntaxes)
        offered |= dict.fromkeys(SOP_CLASSES.values(), (EXPLICIT_VR,))
        self._relational = self.quirks.relational or self.quirks.lies_relational
        granted = dict.fromkeys(FIND_MODELS, b"\1") if self._relational else {}
        self._service = Service(
            offered,
            ae_title=ae_title,
            max_associations=self.quirks.max_associations,
            max_per_second=1_000_000,
            extended=granted,
            stores_back=True,
        )
        self._acceptor: Acceptor | None = None
        self._chance = random.Random(archive.seed)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port if self._acceptor is None else self._acceptor.port

    @property
    def associations(self) -> int:
        """Associations open now."""
        return 0 if self._acceptor is None else self._acceptor.associations

    @property
    def peak_associations(self) -> int:
        """Most associations that were ever open at once."""
        return 0 if self._acceptor is None else self._acceptor.peak

    async def __aenter__(self) -> Simulator:
        self._acceptor = await serve(self._service, self._answer, host=self.host, port=self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._acceptor is not None:
            await self._acceptor.close()
        await self._retrievals.close()

    async def _answer(self, assoc: AcceptedAssociation, request: Message) -> None:
        if request.command.field == dimse.C_ECHO_RQ:
            self.counts.echoes += 1
            assoc.respond(request, SUCCESS)
        elif request.command.field == dimse.C_FIND_RQ:
            came = time.monotonic()
            await self._find(assoc, request)
            self.counts.under_way.append((came, time.monotonic()))
        elif request.command.field in (dimse.C_MOVE_RQ, dimse.C_GET_RQ):
            try:
                await self._wait()
                await self._retrievals.answer(assoc, request)
            except BadQuestionError as error:
                self._refuse(assoc, request, NOT_UNDERSTOOD, str(error))
        else:
            self._refuse(assoc, request, UNRECOGNISED_OPERATION, "only C-ECHO, C-FIND, C-MOVE and C-GET")

    async def _find(self, assoc: AcceptedAssociation, request: Message) -> None:
        context = assoc.contexts[request.context_id]
        model = FIND_MODELS.get(context.abstract_syntax)
        explicit_vr = context.transfer_syntaxes[0] == EXPLICIT_VR
        try:
            if model is None:
                raise BadQuestionError("this presentation context is not for C-FIND")
            relational = self._relational and assoc.asked_extended.get(context.abstract_syntax, b"")[:1] == b"\1"
            question = read_question(request.dataset, explicit_vr=explicit_vr, model=model, relational=relational)
            self.counts.queries[question.level] += 1
            if question.level is Level.IMAGE and self.quirks.no_image_queries:
                raise BadQuestionError("nobody lists images here")
            if is_refused(question, self.quirks):
                raise BadQuestionError("an attribute that cannot be asked for")
            await self._wait()
            understood = misread(question, self.quirks)
            if relational:
                understood = hierarchical(understood, self.archive, lies=self.quirks.lies_relational)
            await self._stream(assoc, request, understood, explicit_vr)
        except (BadQuestionError, BadKeyError) as error:
            self._refuse(assoc, request, NOT_UNDERSTOOD, str(error))
        if self.quirks.one_query:
            assoc.abort()

    async def _stream(
        self, assoc: AcceptedAssociation, request: Message, question: Question, explicit_vr: bool
    ) -> None:
        """Send every match; the last batch goes out together with the final response, in one piece."""
        status = PENDING_UNSUPPORTED_KEYS if question.is_partly_unsupported else PENDING
        command = dimse.response(request.command, status, has_dataset=True)
        max_pdu = min((limit for limit in (assoc.max_pdu, self.quirks.max_pdu) if limit), default=0)
        fails = self._chance.random() * self.quirks.fails_one_in < 1
        waiting, left = b"", self.quirks.fails_after if fails else -1
        batches, final_status = shaped(self._answers.find(question, explicit_vr), self.quirks)
        for identifiers in batches:
            if waiting:
                assoc.write(waiting)
                await assoc.drain()
                await asyncio.sleep(0)  # drain does not wait when the peer keeps up, and others want their turn
                if assoc.is_cancelled(request.command.message_id) and not self.quirks.ignores_cancel:
                    self.counts.cancelled += 1
                    assoc.respond(request, CANCELLED)
                    return
            if 0 <= left < len(identifiers):
                assoc.write(frame_responses(request.context_id, command, identifiers.slice(0, left), max_pdu))
                await break_off(assoc, self.quirks.failure)
                return
            left -= len(identifiers) if left >= 0 else 0
            waiting = frame_responses(request.context_id, command, identifiers, max_pdu)
            self.counts.responses += len(identifiers)
        final = dimse.response(request.command, final_status)
        self.counts.refused += final_status != SUCCESS
        assoc.write(waiting + framing.frame_message(request.context_id, final, None, max_pdu))

    async def _wait(self) -> None:
        if self.quirks.latency or self.quirks.jitter:  # even a sleep of 0 s costs a turn of the event loop
            await asyncio.sleep(self.quirks.latency + self.quirks.jitter * self._chance.random())

    def _refuse(self, assoc: AcceptedAssociation, request: Message, status: int, comment: str) -> None:
        self.counts.refused += 1
        assoc.respond(request, status, comment=comment)


@contextmanager
def running(simulator: Simulator) -> Iterator[Simulator]:
    """Run a simulator in a thread of its own, for callers without an event loop."""
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop: asyncio.Event = asyncio.Event()
    failures: list[BaseException] = []

    async def run() -> None:
        async with simulator:
            ready.set()
            await stop.wait()

    def serve_until_stopped() -> None:
        try:
            loop.run_until_complete(run())
        except OSError as error:
            failures.append(error)
        finally:
            ready.set()
            loop.close()

    thread = threading.Thread(target=serve_until_stopped, name="simulated PACS", daemon=True)
    thread.start()
    ready.wait()
    if failures:
        raise failures[0]
    try:
        yield simulator
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
