"""C-GET as requestor (PS3.4 C.4.3): the PACS sends on the association on which it is asked.

It needs no port of ours and nothing registered at the PACS, but can send only what the association was opened for: see
`Offer`. Touches: network, disk.
"""

from __future__ import annotations

from functools import partial

from crawler.errors import ProtocolError
from crawler.model import Limits, Model, Peer
from crawler.pacs.association import Association
from crawler.pacs.command import Command, get_request
from crawler.pacs.exchange import Request
from crawler.pacs.messages import Sink
from crawler.pacs.sop_classes import GET_CLASSES
from crawler.retrieve.offer import Offer
from crawler.retrieve.retrieval import Retrieval
from crawler.retrieve.storing import Storing
from crawler.retrieve.wanted import Wanted


async def open_for_get(peer: Peer, model: Model, offer: Offer) -> Association:
    """Open an association for C-GET on which the PACS may send what is offered.

    `offer.refused(assoc.agreement)` says what it will not. Raises as `Association.open`.
    """
    return await Association.open(peer, [GET_CLASSES[model]], storage=offer.contexts)


def get(assoc: Association, wanted: Wanted, store: Storing, limits: Limits | None = None) -> Retrieval:
    """Send a C-GET on an association that was opened for it, and give what takes the objects and waits for the end.

    `limits` say how long it may take and how long be silent. Only what `store.expectation` includes is kept. Raises
    RefusedError when the PACS does not offer it or a key cannot be asked for, TransientPeerError.
    """
    sop_class = GET_CLASSES[wanted.model]

    def sink_for(context_id: int, command: Command) -> Sink | None:
        if context_id not in assoc.agreement.contexts:
            raise ProtocolError("the PACS used a presentation context that was not accepted")
        return store.begin(assoc.agreement.contexts[context_id], command, assoc.peer.called_ae)

    request = Request(
        name=f"{wanted.model.known_as} C-GET",
        sop_class=sop_class,
        command=partial(get_request, sop_class=sop_class),
        identifier=wanted.elements(),
        limits=limits or assoc.peer.limits,
        sink_for=sink_for,
    )
    return Retrieval(assoc.begin(request), store.serve)
