"""Who looks, and what they may: roles. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Role(IntEnum):
    """What somebody may; each may all that the one before may."""

    VIEWER = 1
    """See everything that identifies no patient."""
    ANALYST = 2
    """Ask in SQL for everything, and download it."""
    OPERATOR = 3
    """Pause PACS, and have days asked for again."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who looks."""

    name: str
    role: Role
    address: str = ""
    """Where they sit, as far as that is known."""

    @property
    def is_operator(self) -> bool:
        """Whether PACS may be paused, and days asked for again."""
        return self.role >= Role.OPERATOR

    @property
    def is_analyst(self) -> bool:
        """Whether values that identify patients may be seen."""
        return self.role >= Role.ANALYST
