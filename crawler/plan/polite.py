"""How often one PACS is asked: a machine that is told what was asked and what came, and says when the next may go.

It owns no clock: every event comes with its moment, seconds since 1970, so that what it knows (`Standing`) can be put
on disk and taken up by another process. Pure.

- **Queries a minute** are handed out a second's worth at a time. A permission holds for a second, and the next ones are
  put off as if a minute had 61 of them: so no 60 seconds see more than the limit, wherever they begin.
- **The duty cycle** is kept in turns: a second of asking, however many associations take part, then all rest.
- **The pace** is a duty cycle of its own. It is halved when answers take three times what this PACS usually takes for
  such an answer, when every other query is refused, and when none comes; and grows by a twentieth in ten seconds.
- **The breaker** opens after five queries in a row without any answer. One of whoever waits then tries again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

PERMISSION = 1.0
"""Seconds for which a permission holds: from being granted to being sent."""
MINUTE = 60.0

TURN = 1.0
"""Seconds of asking before a rest that a duty cycle demands. XNAT's query and retrieve speaks of the same."""

FAILURES = 5
BACK_OFF, LONGEST_BACK_OFF = 30.0, 3600.0
TRIAL = 120.0
"""Seconds after which a trial that nobody heard of again is no obstacle any more."""

SLOWER = 3.0
"""Times the usual duration from which on a PACS is taken to be overloaded."""
RECOVERED = 1.5
NOTICEABLE = 0.05
"""Seconds below which all answers are alike: what differs there is this machine."""
KNOWN_AFTER = 20
"""Answers of a kind before it is known what is usual."""
LONG, SHORT = 500, 10
"""Answers over which the usual, and the present, is averaged."""
OFTEN = 0.5
SLOWEST, STEP, PATIENCE = 0.1, 0.05, 10.0
"""The slowest pace, by how much it grows, and in how many seconds it changes once."""


@dataclass(frozen=True, slots=True)
class Manners:
    """What a PACS may be asked at most."""

    queries_per_minute: int = 0
    """0 for any number."""
    duty_cycle: float = 1.0
    """The share of time in which there may be a query under way."""

    @property
    def at_once(self) -> int:
        """How many queries are permitted together."""
        return max(1, int(self.queries_per_minute // MINUTE))

    @property
    def apart(self) -> float:
        """Seconds from one such permission to the next."""
        return (MINUTE + PERMISSION) / (self.queries_per_minute // self.at_once) if self.queries_per_minute else 0.0

    def lasting(self, queries: float, seconds: float) -> float:
        """Give the seconds for so many queries that keep the PACS busy for so many seconds."""
        return max(seconds / self.duty_cycle, queries * self.apart / self.at_once)


@dataclass(frozen=True, slots=True)
class Wait:
    """How many seconds nothing may be asked, and why."""

    seconds: float
    why: str


@dataclass(slots=True)
class Standing:
    """What is known of one PACS, and is kept. Moments are seconds since 1970."""

    at: float = 0.0
    """The newest moment of which it was told."""
    permitted_from: float = 0.0
    rest_until: float = 0.0
    pace: float = 1.0
    paced_at: float = 0.0
    failures: int = 0
    """Queries in a row to which nothing came."""
    openings: int = 0
    retry_from: float = 0.0
    trial_until: float = 0.0
    slowness: float = 0.0
    """How much longer than usual answers take at present, as a logarithm."""
    refused: float = 0.0
    """The share of refusals among the last answers."""
    usual: dict[str, list[float]] = field(default_factory=dict)
    """By kind of answer: how many there were, and the mean logarithm of their seconds."""

    @staticmethod
    def of(kept: Mapping[str, Any]) -> Standing:
        """Take up what was kept. ValueError where it is not that."""
        standing = Standing(**{one.name: kept[one.name] for one in fields(Standing) if one.name in kept})
        numbers = [value for name, value in asdict(standing).items() if name != "usual"]
        numbers += [number for known in standing.usual.values() for number in known]
        if not all(isinstance(number, int | float) and math.isfinite(number) for number in numbers):
            raise ValueError("what was kept are no numbers")
        return standing

    def as_values(self) -> dict[str, Any]:
        """Give what can be kept as JSON."""
        return asdict(self)

    @property
    def is_open(self) -> bool:
        """Whether the breaker keeps queries away."""
        return self.failures >= FAILURES

    def forgive(self) -> None:
        """Forget the failures: something came, or a person says that it will."""
        self.failures = self.openings = 0
        self.retry_from = self.trial_until = 0.0

    def shift(self, now: float) -> None:
        """Take the clock's word when it went back: what was to come in a minute still does."""
        if (back := self.at - now) > 0:
            for name in ("permitted_from", "rest_until", "paced_at", "retry_from", "trial_until"):
                setattr(self, name, getattr(self, name) - back)
        self.at = now


def kind_of(level: str, rows: int) -> str:
    """Name the kind of an answer: those of one level with about as many rows should take about as long."""
    return f"{level} {rows.bit_length() // 2}"


@dataclass(slots=True)
class Politeness:
    """What one process knows of its manners at one PACS."""

    name: str
    manners: Manners = field(default_factory=Manners)
    standing: Standing = field(default_factory=Standing)
    under_way: int = 0
    _permissions: int = 0
    _permitted_until: float = 0.0
    _turn_from: float | None = None
    _turn_to: float = 0.0
    """When the last query of this turn ended."""

    @property
    def is_easy(self) -> bool:
        """Whether a query can be sent without a permission that other processes must know of."""
        return self.manners.queries_per_minute == 0 and self.manners.duty_cycle == 1.0

    @property
    def share(self) -> float:
        """The share of time in which there may be a query under way just now."""
        return self.manners.duty_cycle * self.standing.pace

    def is_permitted(self, now: float) -> bool:
        """Whether the next query fits into what this process was permitted already."""
        turn = self.manners.duty_cycle == 1.0 or (self._turn_from is not None and now < self._turn_from + TURN)
        counted = not self.manners.queries_per_minute or self._has_permission(now)
        return turn and counted

    def take_up(self, standing: Standing) -> None:
        """Go on with what another process knows, and with the permissions and rests of both."""
        own, self.standing = self.standing, standing
        standing.permitted_from = max(own.permitted_from, standing.permitted_from)
        standing.rest_until = max(own.rest_until, standing.rest_until)

    def kept_away(self, now: float) -> Wait | None:
        """Say whether the breaker keeps everybody away, or leaves the trial to another."""
        standing = self.standing
        if not standing.is_open:
            return None
        standing.shift(now)
        why = f"{self.name} gave no answer {standing.failures} times in a row"
        if now < standing.retry_from:
            return Wait(standing.retry_from - now, why)
        if now < standing.trial_until:
            return Wait(standing.trial_until - now, f"{why}, and is being tried again")
        return None

    def try_again(self, now: float) -> None:
        """Keep others away while the breaker is tried."""
        if self.standing.is_open:
            self.standing.trial_until = now + TRIAL

    def wait(self, now: float) -> Wait | None:
        """Say how long to wait before the next query; None when it may go now."""
        standing = self.standing
        standing.shift(now)
        share = self.share
        if share < 1.0:
            self._end_turn(now)
            if self._turn_from is None and now < standing.rest_until:
                return Wait(standing.rest_until - now, self._why_resting())
            if self._turn_from is not None and now >= self._turn_from + TURN:
                return Wait(TURN, self._why_resting())  # until the last query under way has ended
        if self.manners.queries_per_minute and not self._has_permission(now) and now < standing.permitted_from:
            return Wait(standing.permitted_from - now, f"{self.manners.queries_per_minute} queries a minute")
        return None

    def asked(self, now: float) -> None:
        """Count a query that goes out now; `wait` gave None."""
        standing, manners = self.standing, self.manners
        if self.share < 1.0 and self._turn_from is None:
            self._turn_from = now
            standing.rest_until = now + TURN / self.share  # should we not live to say how long it took
        if manners.queries_per_minute:
            if not self._has_permission(now):
                self._permissions, self._permitted_until = manners.at_once, now + PERMISSION
                standing.permitted_from = now + manners.apart
            self._permissions -= 1
        self.under_way += 1

    def answered(self, now: float, kind: str, seconds: float) -> None:
        """Count a query that was answered, in so many seconds."""
        self._ended(now)
        self._alive(now, refused=False)
        self._compare(kind, seconds)
        self._adjust(now)

    def refused(self, now: float) -> None:
        """Count a query that was refused for what it would take."""
        self._ended(now)
        self._alive(now, refused=True)
        self._adjust(now)

    def broke_off(self, now: float) -> None:
        """Count a query whose answer did not come to its end, or that we cut off ourselves: the PACS is there."""
        self._ended(now)
        self._alive(now, refused=False)

    def let_go(self, now: float) -> None:
        """Count a query of which nothing came because we hung up."""
        self._ended(now)
        self.standing.trial_until = 0.0

    def failed(self, now: float, chance: float, *, asked: bool) -> None:
        """Count a query to which nothing came, asked or not even that; `chance` from 0 to 1 draws the back-off."""
        if asked:
            self._ended(now)
        standing = self.standing
        standing.shift(now)
        standing.failures += 1
        if standing.is_open and now >= standing.retry_from:
            longest = min(LONGEST_BACK_OFF, BACK_OFF * 2.0 ** min(standing.openings, 10))
            standing.openings += 1
            standing.retry_from, standing.trial_until = now + chance * longest, 0.0
        if standing.failures > 1:  # one alone may be an association that the PACS had closed meanwhile
            self._slow_down(now)

    def _has_permission(self, now: float) -> bool:
        return self._permissions > 0 and self._permitted_until - PERMISSION <= now <= self._permitted_until

    def _alive(self, now: float, *, refused: bool) -> None:
        standing = self.standing
        standing.shift(now)
        if standing.failures:
            standing.forgive()
        standing.refused += (refused - standing.refused) / SHORT

    def _ended(self, now: float) -> None:
        self.under_way -= 1
        self._turn_to = now
        if self._turn_from is not None:
            self._end_turn(now)

    def _end_turn(self, now: float) -> None:
        """Set the rest after a turn that is over: the longer, the longer the turn was."""
        if self._turn_from is None or self.under_way:
            return
        if not self._turn_from <= now < self._turn_from + TURN:
            took = max(self._turn_to - self._turn_from, 0.0)
            self.standing.rest_until = self._turn_to + took * (1 / self.share - 1)
            self._turn_from = None

    def _why_resting(self) -> str:
        standing = self.standing
        if standing.pace == 1.0:
            return f"asking for {self.manners.duty_cycle:.0%} of the time"
        times = math.exp(standing.slowness)
        if times >= RECOVERED:
            return f"slower: {self.name} answers {times:.0f} times slower than usual"
        return f"slower: {self.name} was overloaded" if standing.refused < OFTEN else f"slower: {self.name} refuses"

    def _compare(self, kind: str, seconds: float) -> None:
        """Compare with what is usual, which follows slowly."""
        standing = self.standing
        known = standing.usual.setdefault(kind, [0.0, 0.0])
        taken = math.log(seconds if seconds > NOTICEABLE else NOTICEABLE)
        if known[0] >= KNOWN_AFTER:
            standing.slowness += (taken - known[1] - standing.slowness) / SHORT
        known[0] += known[0] < LONG
        known[1] += (taken - known[1]) / known[0]

    def _adjust(self, now: float) -> None:
        standing = self.standing
        if standing.slowness > _TOO_SLOW or standing.refused > OFTEN:
            self._slow_down(now)
        elif standing.pace < 1.0 and now >= standing.paced_at + PATIENCE and standing.slowness < _WELL:
            standing.pace, standing.paced_at = min(1.0, standing.pace + STEP), now

    def _slow_down(self, now: float) -> None:
        standing = self.standing
        if standing.pace == 1.0 or now >= standing.paced_at + PATIENCE:
            standing.pace, standing.paced_at = max(SLOWEST, standing.pace / 2), now


_TOO_SLOW, _WELL = math.log(SLOWER), math.log(RECOVERED)
