"""Who is to be told what, and what was: an alert when a trouble begins, one when it has ended, never too many. Pure.

The board is told of the troubles that there are, and keeps for each receiver what has not been delivered yet. What it
knows is kept on disk between two starts of the service, so that nothing is told twice, and nothing forgotten.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from crawler.model import Trouble

Message = dict[str, Any]
"""What a receiver gets, as JSON. Names of the settings and fixed words are in it, and nothing that a PACS sent."""

HOUR, DAY = 3600.0, 86400.0
MOST_WAITING = 1000
"""Messages kept for one receiver: far more than it is sent in a day."""

RULES = {
    Trouble.JOB_FAILED: "PacslakeJobFails",
    Trouble.PACS_UNREACHABLE: "PacslakeBreakerOpen",
    Trouble.LAKE_TROUBLE: "PacslakeLakeUnreadable",
    Trouble.DISK_LOW: "PacslakeDiskFillsUp",
    Trouble.SETTINGS_INVALID: "PacslakeSettingsWrong",
    Trouble.OVERDUE: "PacslakeJobOverdue",
    Trouble.CERTIFICATE_EXPIRES: "PacslakeCertificateExpires",
}
"""What the rule of config/alerts is called that is about the same; none is about the last sweep alone."""

SENTENCES = {
    Trouble.JOB_FAILED: ("The job {job} failed; the log says why", "The job {job} got through"),
    Trouble.SWEEP_PARTIAL: (
        "The last sweep of {pacs} is not complete; `pacslake coverage {pacs}` says what is missing",
        "The last sweep of {pacs} is complete",
    ),
    Trouble.PACS_UNREACHABLE: (
        "{pacs} gives no answer and is left alone; `pacslake pacs list` says until when",
        "{pacs} is asked again",
    ),
    Trouble.LAKE_TROUBLE: ("The lake cannot be read; `pacslake verify` says why", "The lake can be read"),
    Trouble.DISK_LOW: ("The disk of the lake is nearly full", "The disk of the lake has room"),
    Trouble.SETTINGS_INVALID: (
        "The settings are wrong, and the service goes on with those of before; its log says what is wrong",
        "The settings are right",
    ),
    Trouble.CERTIFICATE_EXPIRES: (
        "The certificate of {setting} expires within thirty days, or has; `pacslake status` says when",
        "The certificate of {setting} is renewed",
    ),
    Trouble.OVERDUE: ("The job {job} has been due for more than six hours", "The job {job} is not overdue any more"),
}
"""How each begins, and how it ends."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One trouble that there is: where, and in which of a few fixed words."""

    trouble: Trouble
    pacs: str = ""
    job: str = ""
    state: str = ""
    reason: str = ""
    setting: str = ""

    @property
    def key(self) -> str:
        """What makes it the same trouble when it is found again."""
        return f"{self.trouble}:{self.pacs}:{self.job}" + (f":{self.setting}" if self.setting else "")


@dataclass(frozen=True, slots=True)
class Look:
    """What was found at one moment, in seconds since 1970, and what could not be looked at."""

    at: float
    found: Collection[Finding]
    unknown: Collection[Trouble] = ()


@dataclass
class Outbox:
    """What one receiver has to be told yet."""

    waiting: list[Message] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)
    """When it was told something within the last hour."""
    left_out: int = 0

    def next(self, at: float, most: int) -> Message | None:
        """Give what to send now; None where there is nothing, or it was told enough within this hour."""
        self.sent = [moment for moment in self.sent if at - HOUR < moment <= at]
        self.waiting = [one for one in self.waiting if at - DAY < one["at"]]
        if len(self.sent) >= most:
            self.left_out += len(self.waiting)
            self.waiting = []
            return None
        return _summary(self.left_out, at) if self.left_out else next(iter(self.waiting), None)

    def delivered(self, message: Message, at: float) -> None:
        """Take out what has arrived."""
        self.sent.append(at)
        if message["status"] == "left_out":
            self.left_out -= message["count"]
        self.waiting = [one for one in self.waiting if one["id"] != message["id"]]


@dataclass
class Board:
    """The troubles that have begun and not ended, and what is to be said of them."""

    firing: dict[str, tuple[Finding, float]] = field(default_factory=dict)
    """With the moment at which each was found first."""
    outboxes: dict[str, Outbox] = field(default_factory=dict)

    def look(self, look: Look, receivers: Mapping[str, Collection[Trouble]]) -> bool:
        """Take a look in; whether anything began or ended. What could not be looked at stays as it was."""
        found = {one.key: one for one in look.found}
        begun = [one for key, one in found.items() if key not in self.firing]
        over = [key for key, (one, _) in self.firing.items() if key not in found and one.trouble not in look.unknown]
        for one in begun:
            self.firing[one.key] = one, look.at
            self._tell(_message(one, "begins", look.at, look.at), receivers)
        for key in over:
            one, since = self.firing.pop(key)
            self._tell(_message(one, "ends", since, look.at), receivers)
        self.outboxes = {name: self.outboxes.get(name) or Outbox() for name in receivers}
        return bool(begun or over)

    def since(self, finding: Finding) -> float | None:
        """Give when a trouble began that has not ended; None for one that there is not."""
        known = self.firing.get(finding.key)
        return known[1] if known else None

    def _tell(self, message: Message, receivers: Mapping[str, Collection[Trouble]]) -> None:
        for name, troubles in receivers.items():
            if message["alert"] in troubles:
                waiting = self.outboxes.setdefault(name, Outbox()).waiting
                waiting.append(message)
                del waiting[:-MOST_WAITING]

    def as_values(self) -> dict[str, Any]:
        """Give all of it as JSON holds it."""
        firing = [{**asdict(one), "since": since} for one, since in self.firing.values()]
        return {"firing": firing, "outboxes": {name: asdict(box) for name, box in self.outboxes.items()}}

    @staticmethod
    def of(values: Mapping[str, Any]) -> Board:
        """Take up what was kept; what is not that counts as nothing."""
        try:
            boxes = {name: Outbox(**box) for name, box in values["outboxes"].items()}
            return Board({one.key: (one, since) for one, since in map(_kept, values["firing"])}, boxes)
        except (KeyError, TypeError, ValueError, AttributeError):
            return Board()


def _kept(values: Mapping[str, Any]) -> tuple[Finding, float]:
    words = {**values, "trouble": Trouble(values["trouble"])}
    since = float(words.pop("since"))
    return Finding(**words), since


def backoffs() -> Iterable[float]:
    """Give the seconds between one try and the next: two, four, up to five minutes."""
    pause = 2.0
    while True:
        yield pause
        pause = min(2 * pause, 300.0)


def trial_message(at: float) -> Message:
    """Make what `pacslake alerts test` sends."""
    text = "This is a test: alerts of pacslake arrive here"
    return {"id": _id("test", at), "alert": "test", "status": "test", "at": at, "text": text}


def shown(message: Message) -> Message:
    """Give a message as receivers see it: moments in words, without what says nothing."""
    said = {name: value for name, value in message.items() if value != ""}
    for name in said.keys() & {"at", "since"}:
        said[name] = f"{_moment(said[name]):%Y-%m-%dT%H:%M:%SZ}"
    return said


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)


def _message(one: Finding, status: str, since: float, at: float) -> Message:
    sentence = SENTENCES[one.trouble][status == "ends"]
    return {
        "id": _id(one.key, since, status),
        "alert": one.trouble.value,
        "rule": RULES.get(one.trouble, ""),
        "status": status,
        "pacs": one.pacs,
        "job": one.job,
        "state": one.state,
        "reason": one.reason,
        "setting": one.setting,
        "since": since,
        "at": at,
        "text": sentence.format(pacs=one.pacs, job=one.job, setting=one.setting),
    }


def _summary(count: int, at: float) -> Message:
    text = f"{count} more alerts were left out, because there were too many; `pacslake alerts` says how it is now"
    return {
        "id": _id("left_out", at),
        "alert": "left_out",
        "status": "left_out",
        "count": count,
        "at": at,
        "text": text,
    }


def _id(*parts: object) -> str:
    """Name an alert, the same each time it is sent, so that a receiver can tell a repetition."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:16]
