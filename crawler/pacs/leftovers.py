"""What connections leave in memory that came to nothing: collected while there are many, as Python waits too long.

A handshake of TLS that breaks off leaves a cycle of objects with the buffer for a PDU, which outlives the quick
collections: floods made 130 MB of such garbage. Touches: the memory of its process.
"""

from __future__ import annotations

import gc

_MANY = 64
"""Connections; of one address an acceptor begins no more than some hundred in a second."""


class Leftovers:
    """Counts connections that ended, but for those that came to something."""

    def __init__(self) -> None:
        self._count = 0

    def add(self) -> None:
        """Count one that ended, and collect what is left of many."""
        self._count += 1
        if self._count >= _MANY:
            self._count = 0
            gc.collect()

    def spare(self) -> None:
        """Do not count one that became an association: those of honest peers are many, and leave little."""
        self._count -= 1
