"""One C-MOVE or C-GET under way, and its responses. Touches: network."""

from __future__ import annotations

from dataclasses import dataclass

from crawler.lake.here import Holding
from crawler.pacs import command as dimse
from crawler.pacs import framing
from crawler.pacs.acceptor import AcceptedAssociation
from crawler.pacs.encoding import Constant, element
from crawler.pacs.messages import Message
from crawler.pacs.negotiation import EXPLICIT_VR
from crawler.pacs.status import PENDING
from crawler.pacs.suboperations import SubOperations

_FAILED_UIDS = 0x00080058
_MOST_NAMED = 1000
"""UIDs in the list of failed ones, whose length Explicit VR counts in 16 bits."""


@dataclass(slots=True)
class Errand:
    """One request under way, and what there is of what it asks for."""

    assoc: AcceptedAssociation
    request: Message
    holding: Holding
    told: SubOperations
    comment: str = ""
    """What whoever asked is told at the end."""

    @property
    def is_wanted(self) -> bool:
        """Whether whoever asked is still there and has not cancelled."""
        return not self.assoc.is_cancelled(self.request.command.message_id) and self.assoc.is_open

    def go_on(self, done_elsewhere: int = 0) -> None:
        """Send a pending response; so many more are done than are counted yet."""
        told, done = self.told, min(done_elsewhere, self.told.remaining)
        counters = told.counters._replace(remaining=told.remaining - done, completed=told.completed + done)
        self._respond(PENDING, counters, [])

    def end(self) -> None:
        """Send the final response."""
        told = self.told
        self._respond(told.status, told.counters._replace(remaining=told.remaining or None), told.failed_uids)

    def _respond(self, status: int, counters: dimse.Counters, failed: list[str]) -> None:
        assoc, request, identifier = self.assoc, self.request, None
        if failed:
            uids = Constant(_FAILED_UIDS, "UI", "\\".join(failed[:_MOST_NAMED]))
            identifier = element(uids, assoc.contexts[request.context_id].transfer_syntaxes[0] == EXPLICIT_VR)
        comment = "" if status == PENDING else self.comment
        command = dimse.response(request.command, status, has_dataset=bool(failed), comment=comment, counters=counters)
        assoc.write(framing.frame_message(request.context_id, command, identifier, assoc.max_pdu))
