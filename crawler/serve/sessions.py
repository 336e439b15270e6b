"""Who is logged in: in memory alone, so that a restart logs everybody out. Pure; whoever asks brings the time."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass

IDLE = 30 * 60.0
LONGEST = 12 * 3600.0
"""Seconds after which one has to log in again: after the last request, and after the login."""
MOST = 1000
"""Sessions at a time; of more the one that was not used for the longest ends."""


@dataclass(frozen=True, slots=True)
class Session:
    """One login."""

    name: str
    proof: str
    """Of the password that it rests on: with another one it ends."""
    began: float


class Sessions:
    """All of them. What is kept is the hash of an id, so that nobody who sees this memory could use it."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[Session, float]] = OrderedDict()

    def begin(self, name: str, proof: str, now: float) -> str:
        """Begin one, and give its id."""
        session_id = secrets.token_urlsafe(32)
        self._kept[_hash(session_id)] = (Session(name, proof, now), now)
        if len(self._kept) > MOST:
            self._kept.popitem(last=False)
        return session_id

    def find(self, session_id: str, now: float) -> Session | None:
        """Give one that has not ended, which keeps it from ending for a while."""
        key = _hash(session_id)
        session, seen = self._kept.pop(key, (None, 0.0))
        if session is None or now - seen > IDLE or now - session.began > LONGEST:
            return None
        self._kept[key] = (session, now)
        return session

    def end(self, session_id: str) -> None:
        """End one."""
        self._kept.pop(_hash(session_id), None)


def _hash(session_id: str) -> str:
    return hashlib.sha256(session_id.encode()).hexdigest()
