"""C-MOVE as requestor (PS3.4 C.4.2): the PACS is asked to send to an AE title, where a receiver takes what comes.

Touches: network.
"""

from __future__ import annotations

from functools import partial

from crawler.model import AETitle, Limits
from crawler.pacs.association import Association
from crawler.pacs.command import move_request
from crawler.pacs.exchange import Request
from crawler.pacs.sop_classes import MOVE_CLASSES
from crawler.retrieve.retrieval import Retrieval
from crawler.retrieve.wanted import Wanted


def move(assoc: Association, wanted: Wanted, to: AETitle, limits: Limits | None = None) -> Retrieval:
    """Send a C-MOVE on an open association and give what waits for its end.

    `limits` say how long it may take and how long be silent; `feed` what is given when objects arrive. Raises
    RefusedError when the PACS does not offer it or a key cannot be asked for, TransientPeerError.
    """
    sop_class = MOVE_CLASSES[wanted.model]
    request = Request(
        name=f"{wanted.model.known_as} C-MOVE",
        sop_class=sop_class,
        command=partial(move_request, sop_class=sop_class, destination=to),
        identifier=wanted.elements(),
        limits=limits or assoc.peer.limits,
    )
    return Retrieval(assoc.begin(request))
