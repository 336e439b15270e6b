"""What can be wrong with a lake, as values. Pure; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Harm(StrEnum):
    """What a flaw costs, and so what repairing it means."""

    DATA = "data"
    """Rows are lost: they have to be asked for again."""
    LOG = "log"
    """A commit or a checkpoint is broken; what it said can be found out from the rest."""
    ROWS = "rows"
    """Files are whole, and what they say does not fit together."""
    CACHE = "cache"
    """It can be made again at any time."""
    STORE = "store"
    """The copy is whole, and the object store lacks it: other machines cannot fetch it."""
    LEFTOVER = "leftover"
    """A replaced file, which only those miss who began to read before it was replaced."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that is wrong."""

    harm: Harm
    path: str
    """Relative to the lake; the name of a table for ROWS."""
    said: str
