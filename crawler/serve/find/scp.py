"""C-FIND, C-MOVE, C-GET and C-ECHO SCP over a lake (PS3.4 C.4, K.4.1, A): identifiers go out as they are found.

Who may ask is the acceptor's to decide, how much the allowance of each calling AE title. Every query is in the audit
before its first answer leaves. Touches: network, disk, clock, threads.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pyarrow as pa
import structlog

from crawler.errors import LakeError
from crawler.model import Limits, Model
from crawler.pacs import command as dimse
from crawler.pacs.acceptor import AcceptedAssociation, Service
from crawler.pacs.messages import Message
from crawler.pacs.negotiation import EXPLICIT_VR, IMPLICIT_VR
from crawler.pacs.pending import frame_responses
from crawler.pacs.sop_classes import FIND_MODELS, GET_MODELS, MOVE_MODELS
from crawler.pacs.status import CANCELLED, PENDING, PENDING_UNSUPPORTED_KEYS, SUCCESS
from crawler.pacs.storage import Place
from crawler.pacs.strangers import Strangers
from crawler.serve.access import Person, Role
from crawler.serve.audit import Action, Audit
from crawler.serve.find.answering import Answer, LakeAnswers
from crawler.serve.find.forwarding import Forwarder
from crawler.serve.find.question import NOT_IN_MODEL, BadQuestionError, Granted, Question, Reader
from crawler.serve.find.retrieving import Retrieving, wanted_of
from crawler.serve.rates import Buckets

_OWN = frozenset((*FIND_MODELS, *MOVE_MODELS, *GET_MODELS, dimse.VERIFICATION))
_PLAIN = (IMPLICIT_VR, EXPLICIT_VR)
_GRANTED = b"\1\1"
"""Relational queries and date-time matching, of what can be negotiated (PS3.4 C.5.1.1)."""

OUT_OF_RESOURCES, NOT_PROCESSED = 0xA700, 0xC000
UNRECOGNISED_OPERATION = 0x0211

_LARGEST_IDENTIFIER = 1 << 20
_GLANCE = 0.2
"""Seconds between looks whether somebody who waits has cancelled or gone."""
_AT_ONCE = 4
"""Queries that read at the same moment; others wait for their turn."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much one calling AE title may ask; 0 is no limit."""

    rows: int = 0
    """Of one query."""
    queries_per_minute: int = 0


@dataclass(frozen=True, slots=True)
class Allowances:
    """That of each calling AE title, and of all others."""

    usual: Allowance = field(default_factory=Allowance)
    of: Mapping[str, Allowance] = field(default_factory=dict)

    def for_ae(self, ae_title: str) -> Allowance:
        """Give that of one."""
        return self.of.get(ae_title, self.usual)


class FindScp:
    """Answers requests; `answers` gives the lake, None as long as there is none."""

    def __init__(self, answers: Callable[[], LakeAnswers | None], audit: Audit, allowances: Allowances) -> None:
        self.always_relational = False
        self.store: Path | None = None
        """Where received files are; None sends none."""
        self.destinations: Mapping[str, Place] = {}
        """Where the AE titles are to which a C-MOVE may send."""
        self.forwarder: Forwarder | None = None
        """Passes on to PACS what a C-MOVE asks for and is not here; None leaves it."""
        self._syntaxes: dict[str, Sequence[str]] = dict.fromkeys(
            (*FIND_MODELS, dimse.VERIFICATION), (IMPLICIT_VR, EXPLICIT_VR)
        )
        self._answers = answers
        self._audit = audit
        self._allowances = allowances
        self._buckets: dict[int, Buckets] = {}
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="find")
        self._log = structlog.get_logger()

    def service(self, ae_title: str, admits: Callable[[str, str], bool] | None, max_associations: int) -> Service:
        """Give what an acceptor offers for this."""
        if self.store is not None:
            self._syntaxes |= dict.fromkeys((*MOVE_MODELS, *GET_MODELS), _PLAIN)
        return Service(
            self._syntaxes,
            ae_title=ae_title,
            admits=admits,
            extended=dict.fromkeys(FIND_MODELS, _GRANTED),
            turned_away=Strangers(),
            max_associations=max_associations,
            stores_back=True,
            limits=Limits(max_object=_LARGEST_IDENTIFIER),
        )

    def offer(self, kinds: Mapping[str, Sequence[str]]) -> None:
        """Say in which SOP classes and transfer syntaxes there are files, for associations from now on."""
        self._syntaxes |= {uid: tuple(syntaxes) for uid, syntaxes in kinds.items() if uid not in _OWN}

    def close(self) -> None:
        """Wait for nobody."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def answer(self, assoc: AcceptedAssociation, request: Message) -> None:
        """Answer one request."""
        if request.command.field == dimse.C_ECHO_RQ:
            assoc.respond(request, SUCCESS)
        elif request.command.field == dimse.C_FIND_RQ:
            await self._find(assoc, request)
        elif request.command.field in (dimse.C_MOVE_RQ, dimse.C_GET_RQ) and self.store is not None:
            await self._retrieve(assoc, request, self.store)
        else:
            assoc.respond(request, UNRECOGNISED_OPERATION, comment="this is not answered here")

    async def _retrieve(self, assoc: AcceptedAssociation, request: Message, store: Path) -> None:
        name = "C-MOVE" if request.command.field == dimse.C_MOVE_RQ else "C-GET"
        told: dict[str, object] = {"caller": f"{assoc.calling_ae}@{assoc.address}", "request": name}
        try:
            retrieving = Retrieving(self.destinations, self.forwarder)
            answers, question = self._question(assoc, request, MOVE_MODELS if name == "C-MOVE" else GET_MODELS)
            wanted = wanted_of(question)
            retrieving.check(request)
            found = await asyncio.to_thread(answers.holding, store, wanted)
            parts = []
            if self.forwarder is not None and name == "C-MOVE":
                parts = await asyncio.to_thread(answers.elsewhere, wanted, self.forwarder.pacs)
            to = request.command.move_destination or assoc.calling_ae
            what = f"{name} {question.level.query_retrieve_level} to {to}"
            if parts:
                what += f", forwarded to {', '.join(sorted({part.pacs for part in parts}))} what is not here"
            person = Person(assoc.calling_ae, Role.ANALYST, assoc.address)
            await asyncio.to_thread(
                partial(self._audit.note, person, Action.SEND, what=what, rows=len(found.here), outcome="sending")
            )
            counted = await retrieving.retrieve(assoc, request, found, parts)
            told |= {"sent": counted.completed, "failed": counted.failed, "status": f"{counted.status:04X}"}
        except BadQuestionError as error:
            assoc.respond(request, error.status, comment=str(error))
            told |= {"status": f"{error.status:04X}", "reason": str(error)}
        except LakeError:
            assoc.respond(request, NOT_PROCESSED, comment="the lake cannot answer now")
            told |= {"status": f"{NOT_PROCESSED:04X}"}
        self._log.info("files sent", **told)

    async def _find(self, assoc: AcceptedAssociation, request: Message) -> None:
        began = time.monotonic()
        told: dict[str, object] = {"caller": f"{assoc.calling_ae}@{assoc.address}"}
        try:
            question, answer = self._understood(assoc, request)
            told["query"] = question.said
            sending = _Sending(assoc, request, question, self._allowances.for_ae(assoc.calling_ae).rows)
            status, comment = await self._send(sending, answer)
            told["rows"] = sending.rows
        except BadQuestionError as error:
            status, comment = error.status, str(error)
        except LakeError:
            status, comment = NOT_PROCESSED, "the lake cannot answer now"
        if assoc.is_open:
            assoc.respond(request, status, comment=comment)
        took_ms = round((time.monotonic() - began) * 1000)
        self._log.info("query answered", status=f"{status:04X}", reason=comment, took_ms=took_ms, **told)

    def _understood(self, assoc: AcceptedAssociation, request: Message) -> tuple[Question, Answer]:
        """Read a C-FIND. BadQuestionError where it cannot, or may not, be answered."""
        answers, question = self._question(assoc, request, FIND_MODELS)
        explicit_vr = assoc.contexts[request.context_id].transfer_syntaxes[0] == EXPLICIT_VR
        return question, answers.ask(question, explicit_vr)

    def _question(
        self, assoc: AcceptedAssociation, request: Message, models: Mapping[str, Model]
    ) -> tuple[LakeAnswers, Question]:
        """Read the identifier of a request, and give whom to ask. BadQuestionError."""
        context = assoc.contexts[request.context_id]
        model = models.get(context.abstract_syntax)
        if model is None:
            raise BadQuestionError(NOT_IN_MODEL, "this presentation context is not for that request")
        self._take_turn(assoc.calling_ae)
        answers = self._answers()
        if answers is None:
            raise BadQuestionError(OUT_OF_RESOURCES, "nothing has been swept yet")
        flags = assoc.asked_extended.get(context.abstract_syntax, b"").ljust(2, b"\0")
        explicit_vr = context.transfer_syntaxes[0] == EXPLICIT_VR
        reader = Reader(answers.known.added, self.always_relational)
        granted = Granted(relational=flags[0] == 1, combined=flags[1] == 1)
        return answers, reader.read(request.dataset, explicit_vr=explicit_vr, model=model, granted=granted)

    def _take_turn(self, ae_title: str) -> None:
        """Count a query. BadQuestionError where it is one too many."""
        most = self._allowances.for_ae(ae_title).queries_per_minute
        if most:
            buckets = self._buckets.setdefault(most, Buckets(most, most / 60))
            if wait := buckets.take(ae_title, time.monotonic()):
                raise BadQuestionError(
                    OUT_OF_RESOURCES, f"{most} queries a minute are allowed; ask again in {wait:.0f} s"
                )

    async def _send(self, sending: _Sending, answer: Answer) -> tuple[int, str]:
        """Send what is found; give the final status and what to say with it."""
        batches = answer.batches()
        coming = self._read(lambda: self._first(sending, batches))
        try:
            while (batch := await sending.wait_for(coming)) is not None:
                coming = self._read(lambda: next(batches, None))
                await sending.send(batch)
                if sending.is_over_limit:
                    return OUT_OF_RESOURCES, f"more than {sending.most} answers, the limit for this AE title"
            if not coming.done() or not sending.is_wanted:
                return CANCELLED, ""
            return SUCCESS, self._freshness()
        finally:
            if not coming.done():
                answer.interrupt()
            with suppress(LakeError):
                await coming
            answer.close()

    def _read(self, work: Callable[[], pa.Array | None]) -> asyncio.Future[pa.Array | None]:
        return asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _first(self, sending: _Sending, batches: Iterator[pa.Array]) -> pa.Array | None:
        """Write down who asks what, then begin."""
        person = Person(sending.assoc.calling_ae, Role.ANALYST, sending.assoc.address)
        question = sending.question
        self._audit.note(person, Action.FIND, what=question.said, phi_columns=question.identifying, outcome="answered")
        return next(batches, None)

    def _freshness(self) -> str:
        """Say what moment the answers speak of: that of the newest complete answer of a PACS."""
        answers = self._answers()
        as_of = answers.known.as_of if answers else None
        return f"as of {as_of:%Y-%m-%d %H:%M:%S} UTC" if as_of else ""


class _Sending:
    """The way of answers to who asked."""

    def __init__(self, assoc: AcceptedAssociation, request: Message, question: Question, most: int) -> None:
        self.assoc = assoc
        self.question = question
        self.most = most
        self.rows = 0
        self.is_over_limit = False
        self.is_wanted = True
        self._request = request
        status = PENDING_UNSUPPORTED_KEYS if question.is_partly_unsupported else PENDING
        self._command = dimse.response(request.command, status, has_dataset=True)

    async def wait_for(self, coming: asyncio.Future[pa.Array | None]) -> pa.Array | None:
        """Wait for the next batch; None where there is none, or nobody wants it any more."""
        while not coming.done():
            await asyncio.wait({coming}, timeout=_GLANCE)
            if not self._look():
                return None
        return coming.result() if self._look() else None

    async def send(self, identifiers: pa.Array) -> None:
        """Send a batch, as far as the limit allows; waits while the peer lags behind."""
        if self.most and self.rows + len(identifiers) > self.most:
            identifiers = identifiers.slice(0, self.most - self.rows)
            self.is_over_limit = True
        self.rows += len(identifiers)
        framed = frame_responses(self._request.context_id, self._command, identifiers, self.assoc.max_pdu)
        self.assoc.write(framed)
        await self.assoc.drain()

    def _look(self) -> bool:
        is_cancelled = self.assoc.is_cancelled(self._request.command.message_id)
        self.is_wanted = self.assoc.is_open and not is_cancelled
        return self.is_wanted
