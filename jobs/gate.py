"""Everybody who asks a PACS goes through its gate, which keeps the limits that `[pacs.NAME]` sets.

What all processes must know is on disk: a permission is taken there, under a lock, before the query that it is for is
sent. Where nothing is limited, only what was learned is written, now and then. Touches: clock, disk.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime

from crawler.lake.standing import StandingFile
from crawler.plan.hours import Hours
from crawler.plan.polite import Manners, Politeness, Standing, Wait, kind_of

LOOK_EVERY = 0.25
"""Seconds after which one who waits looks whether that is over sooner."""

LONG = 30.0
"""Who has to wait for longer hangs up meanwhile."""


class Gate:
    """The gate of one PACS. Without further words it is open to everybody."""

    def __init__(
        self, name: str, manners: Manners | None = None, hours: Hours | None = None, kept: StandingFile | None = None
    ) -> None:
        self.name = name
        self.hours = hours
        self.kept = kept
        self.stopping = asyncio.Event()
        """Set when nobody shall be let through any more."""
        self.stopped: str | None = None
        """Why, where nobody typed it."""
        self.given_up = False
        """Whether nobody waits any more for a PACS that gives no answer."""
        self.cuts: list[Callable[[], None]] = []
        """Each hangs up on whatever one caller is asking."""
        self.waiting: Wait | None = None
        """What keeps those who want to ask, just now."""
        self._polite = Politeness(name, manners or Manners())
        self._open_until = float("inf") if hours is None else 0.0
        self._changed = False
        self._rest_kept = 0.0
        self.refresh()

    @property
    def standing(self) -> Standing:
        """How it stands with the PACS."""
        return self._polite.standing

    @property
    def must_wait_long(self) -> bool:
        """Whether nobody gets through so soon that an association is worth keeping."""
        wait = self._wait(time.time())
        return wait is not None and wait.seconds > LONG

    async def ready(self) -> bool:
        """Wait until the PACS may be called; False when that will not be."""
        while not (self.stopping.is_set() or self.given_up):
            now = time.time()
            if now >= self._open_until and not self.is_within_hours(now):
                return False
            wait = self._wait(now)
            if wait is None and (not self.standing.is_open or self._try_again()):
                self.waiting = None
                return True
            self.waiting = wait
            await self.stopped_within(min(LOOK_EVERY, wait.seconds if wait else LOOK_EVERY))
        return False

    async def stopped_within(self, seconds: float) -> bool:
        """Wait so long, or until a stop is asked for; say which."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), seconds)
        return self.stopping.is_set()

    def stop(self, why: str | None = None) -> None:
        """Let nobody through any more."""
        self.stopped = self.stopped or why
        self.stopping.set()

    def cut(self) -> None:
        """Hang up on queries under way."""
        for cut in self.cuts:
            cut()

    def take(self) -> bool:
        """Take the permission for a query that is sent at once; False when another was quicker."""
        now, polite = time.time(), self._polite
        if self.stopping.is_set() or now >= self._open_until:
            return False
        if self.kept is None or polite.is_easy or polite.is_permitted(now):
            if polite.wait(now) is not None:
                return False
            polite.asked(now)
            return True
        with self._shared():
            if polite.wait(now) is not None:
                return False
            polite.asked(now)
        return True

    def answered(self, level: str, rows: int, seconds: float, *, refused: bool = False) -> None:
        """Tell of a query that came to its end, in so many seconds."""
        now, polite = time.time(), self._polite
        with self._shared() if self.standing.failures else nullcontext():
            if refused:
                polite.refused(now)
            else:
                polite.answered(now, kind_of(level, rows), seconds)
        self._note()

    def lost(self, *, began: bool) -> None:
        """Tell of a query whose answer did not come to its end, or did not even begin."""
        if began:
            self._polite.broke_off(time.time())
            self._note()
        elif self.stopping.is_set():  # it may have been us who hung up
            self.let_go()
        else:
            with self._shared():
                self._polite.failed(time.time(), random.random(), asked=True)

    def unreached(self) -> None:
        """Tell that the PACS took no association."""
        if not self.stopping.is_set():
            with self._shared():
                self._polite.failed(time.time(), random.random(), asked=False)

    def let_go(self) -> None:
        """Tell of a query that came to nothing for reasons of our own."""
        self._polite.let_go(time.time())
        self._note()

    def is_within_hours(self, now: float) -> bool:
        """Whether the hours of the PACS allow it to be asked."""
        if self.hours is None:
            return True
        moment = datetime.fromtimestamp(now, UTC)
        if not self.hours.allow(moment):
            return False
        change = self.hours.next_change(moment)
        self._open_until = change.timestamp() if change else float("inf")
        return True

    def refresh(self) -> None:
        """Take up what another process has written."""
        news = self.kept.news() if self.kept else None
        if news is not None:
            try:
                self._polite.take_up(Standing.of(news))
            except (TypeError, ValueError):
                return

    def save(self) -> None:
        """Keep what was learned since it was last kept."""
        if self._changed:
            with self._shared():
                self._changed = False

    def _wait(self, now: float) -> Wait | None:
        return self._polite.kept_away(now) or self._polite.wait(now)

    def _try_again(self) -> bool:
        """Be the one who tries whether a PACS that gave no answer is back; False when another process is."""
        now = time.time()
        with self._shared():
            if self._polite.kept_away(now) is not None:
                return False
            self._polite.try_again(now)
        return True

    def _note(self) -> None:
        """Remember that something was learned, and keep at once that a rest is due."""
        self._changed = True
        if self.standing.rest_until > self._rest_kept and self._polite.manners.duty_cycle < 1.0:
            self.save()

    @contextmanager
    def _shared(self) -> Iterator[None]:
        """Change something in full knowledge of other processes, and have them know."""
        if self.kept is None:
            yield
            return
        with self.kept.held():
            self.refresh()
            yield
            self.kept.write(self.standing.as_values())
            self._rest_kept = self.standing.rest_until
