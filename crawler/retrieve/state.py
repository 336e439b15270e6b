"""How far the retrieval of a series has come: a row of `retrievals` as a value. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class State(StrEnum):
    """What can be said of a series that is to be here."""

    PLANNED = "planned"
    REQUESTED = "requested"
    PARTIAL = "partial"
    COMPLETE = "complete"
    OFFLINE = "offline"
    """The PACS has to fetch it first, and may send it later by itself."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Retrieval:
    """One change of a series' state; the fields are columns of `retrievals`, in their order."""

    pacs: str
    study_uid: str
    series_uid: str | None
    """None for a study whose series are not known."""
    cohort: str | None
    version: int | None
    state: State
    reason: str | None = None
    """For a person; nothing of a patient."""
    way: str | None = None
    level: str | None = None
    requests: int | None = None
    expected_instances: int | None = None
    """Listed by the PACS at IMAGE level; None when it could not list them."""
    received_instances: int | None = None
    status: int | None = None
    completed: int | None = None
    failed: int | None = None
    warning: int | None = None
    remaining: int | None = None
    failed_instances: tuple[str, ...] | None = None
    changed_at: datetime | None = None
    """UTC, without a zone; None while it is not written."""
