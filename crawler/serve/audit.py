"""Who looked at patients' data, took it along, or had something done. Touches: disk."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TypedDict, Unpack

import structlog

from crawler.lake.audit import AuditLog
from crawler.serve.access import Person


class Action(StrEnum):
    """What somebody did."""

    SQL = "sql"
    EXPORT = "export"
    FIND = "find"
    SEND = "send"
    BACKFILL = "backfill"
    PAUSE = "pause"
    RESUME = "resume"
    LOGIN = "login"
    LOGOUT = "logout"
    LOGIN_FAILED = "login_failed"
    USERS_CHANGED = "users_changed"


class Told(TypedDict, total=False):
    """What is told of it; each as far as it means something there."""

    what: str
    """The SQL text, the PACS, the user."""
    rows: int
    phi_columns: list[str]
    """Columns that identify somebody, of those that were seen."""
    lake_version: int
    seconds: float
    outcome: str
    """done, or why not."""


class Audit:
    """Writes it down."""

    def __init__(self, lake: Path) -> None:
        self._log = AuditLog(lake)

    def note(self, person: Person, action: Action, **told: Unpack[Told]) -> None:
        """Write down who did what; on disk when this returns, which takes milliseconds. LakeError where it cannot be.

        Note what shows patients before the first byte of it leaves: what cannot be written down must not be seen.
        """
        role = "" if action is Action.LOGIN_FAILED else person.role.name.lower()
        written = self._log.append(
            {
                "person": person.name,
                "role": role,
                "address": person.address,
                "action": action,
                **told,
            }
        )
        structlog.get_logger().info("audited", action=action.value, person=person.name, line=written)
