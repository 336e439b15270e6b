"""What services on several machines tell each other by the queue, and when one has to let go. Pure.

A service says each `BEAT` that it lives. Who was silent for `SILENCE` has lost what it did: another may take it. So
whoever cannot be heard stops before that by its own clock: gently after `LET_GO`, which leaves a job the ten seconds
that it may take to end, and at once after `LAST`, as after a pause of the whole machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

BEAT = 4.0
LET_GO = 12.0
LAST = 22.0
SILENCE = 25.0


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that does a job."""

    host: str
    pid: int

    def is_named_in(self, text: str) -> bool:
        """Whether a lake's lock names it as the owner."""
        return text.startswith(f"process {self.pid} on {self.host} since ")

    @staticmethod
    def of(values: Mapping[str, Any]) -> Holder:
        """Read one. ValueError, KeyError or TypeError for what is none."""
        return Holder(str(values["host"]), int(values["pid"]))


@dataclass(frozen=True, slots=True)
class Wanted:
    """A job that is to be done for a slot of its schedule."""

    name: str
    slot: datetime
    lock: str
    """Of all that bears one, one at a time is done: the name of a PACS."""
    kind: str | None = None
    """Under which those who can do it look for it, where that is not its name."""

    @property
    def slot_text(self) -> str:
        """The slot, in words that are equal for equal slots."""
        return self.slot.astimezone(UTC).isoformat()


@dataclass(frozen=True, slots=True)
class Task:
    """A job that this service has taken."""

    number: int
    name: str
    slot: datetime
    failures: int
    """So often it did not get through for this slot."""
    lost: tuple[Holder, ...]
    """Who did it before and fell silent. They may wake up."""

    @staticmethod
    def of(row: Mapping[str, Any]) -> Task:
        """Read a row of the queue. ValueError, KeyError or TypeError for what is none."""
        told = row["args"]
        slot = datetime.fromisoformat(told["slot"])
        return Task(
            int(row["id"]),
            str(told["name"]),
            slot if slot.tzinfo else slot.replace(tzinfo=UTC),
            int(told.get("failures", 0)),
            tuple(Holder.of(one) for one in told.get("lost", ())),
        )


@dataclass(frozen=True, slots=True)
class Ending:
    """What has become of a task."""

    task: Task
    again_in: float | None = None
    """Seconds after which it may be taken again; None where it is over until its next slot."""
    failures: int = 0
    """So often it has not got through by now."""
    given_up: bool = False
    kept: bool = True
    """Whether it is remembered until its next slot, so that nobody does this one again."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the queue says of a service."""

    known: bool
    """Whether it counts as living; if not, it must come anew."""
    first: bool
    """Whether it is the one that has been there the longest, and does what one alone shall do."""
    holds: bool
    """Whether the tasks that it does are its own still."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One line of the queue, for people."""

    name: str
    state: str
    slot: str
    failures: int
    not_before: datetime | None
    since: datetime | None
    host: str | None
    pid: int | None


class Word(Enum):
    """What is to become of the job under way."""

    GO_ON = "go on"
    END = "end"
    DROP = "drop"
    """At once: another may do it already."""


class Lease:
    """How long this service has not been heard, by its own clock, which nobody sets."""

    def __init__(self, at: float) -> None:
        self._heard = at

    def renewed(self, sent: float) -> None:
        """Note a sign of life that arrived; it counts from when it was sent."""
        self._heard = sent

    def word(self, at: float) -> Word:
        """Say what is to be done at a moment."""
        silent = at - self._heard
        return Word.GO_ON if silent < LET_GO else Word.END if silent < LAST else Word.DROP
