"""Begins and ends objects that somebody sends: which are taken, which status each deserves. Touches: disk."""

from __future__ import annotations

from collections.abc import Callable

from crawler.pacs import command as dimse
from crawler.pacs.command import Command
from crawler.pacs.messages import Message
from crawler.pacs.negotiation import Context
from crawler.retrieve.expectation import Expectation
from crawler.retrieve.header import file_meta
from crawler.retrieve.incoming import Incoming, Intake
from crawler.retrieve.instance import CANNOT_UNDERSTAND, NOT_AUTHORIZED, OUT_OF_RESOURCES, SUCCESS, Instance

_UNRECOGNIZED_OPERATION = 0x0211


class Taking:
    """Takes objects into a spool. Set `expectation` to what is wanted, at any time."""

    def __init__(self, intake: Intake, catch_up: Callable[[], None] = lambda: None) -> None:
        """`catch_up` is called before something is refused that may be wanted by now."""
        self.expectation = Expectation()
        self.is_over = False
        """Whether nothing is taken any more."""
        self._intake = intake
        self._catch_up = catch_up

    def begin(self, context: Context, command: Command, source_ae: str) -> Incoming | None:
        """Begin an object, given its C-STORE-RQ; None for any other command."""
        if command.field != dimse.C_STORE_RQ:
            return None
        instance = Instance(command.sop_class, command.sop_instance, context.transfer_syntaxes[0], source_ae)
        refusal = instance.refusal(context.abstract_syntax)
        if self._is_shut(source_ae):
            refusal = OUT_OF_RESOURCES
        meta = b""
        if refusal == SUCCESS:
            meta = file_meta(instance.sop_class, instance.sop_instance, instance.transfer_syntax)
        incoming = Incoming(self._intake, instance, meta, lambda head: self._judge(instance, head))
        if refusal != SUCCESS:
            incoming.refuse(refusal)
        return incoming

    def end(self, request: Message) -> int:
        """Give the status that a request deserves; with success an `Incoming` that came with it has arrived."""
        if request.command.field == dimse.C_ECHO_RQ:
            return SUCCESS
        if request.command.field != dimse.C_STORE_RQ:
            return _UNRECOGNIZED_OPERATION
        return request.sink.finish() if isinstance(request.sink, Incoming) else CANNOT_UNDERSTAND

    def _is_shut(self, source_ae: str) -> bool:
        if self._intake.trouble is not None:
            self._catch_up()
        if self._intake.is_spent(source_ae) and self._intake.counts is not None:
            self._intake.counts.spent(source_ae)
            return True
        return self.is_over or self._intake.trouble is not None

    def _judge(self, instance: Instance, head: bytes) -> int:
        status = instance.judge(head, self.expectation)
        if status == NOT_AUTHORIZED:
            self._catch_up()
            status = instance.judge(head, self.expectation)
        return status
