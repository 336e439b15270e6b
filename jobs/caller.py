"""Keep one association to a PACS open, and open another when it was closed. Touches: network."""

from __future__ import annotations

from crawler.errors import TransientPeerError
from crawler.model import Model, Peer
from crawler.pacs.association import Association


class Caller:
    """One association at a time to one PACS."""

    def __init__(self, peer: Peer, model: Model) -> None:
        self._peer = peer
        self._model = model
        self._association: Association | None = None

    async def association(self) -> Association:
        """Give the open association, a new one where the PACS has closed it since."""
        if self._association is None or self._association.closed:
            self._association = await Association.open(self._peer, [self._model])
        return self._association

    async def reaches(self) -> bool:
        """Whether the PACS accepts this association beside those that are open already."""
        try:
            await self.association()
        except TransientPeerError:
            return False
        return True

    async def hang_up(self) -> None:
        """Release the association, if there is one."""
        association, self._association = self._association, None
        if association is not None and not association.closed:
            await association.release()

    def drop(self) -> None:
        """Abort the association, whatever state it is in."""
        association, self._association = self._association, None
        if association is not None:
            association.abort()
