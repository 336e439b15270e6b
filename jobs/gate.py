"""Everybody who asks a PACS goes through its gate, which keeps the limits that `[pacs.NAME]` sets.

What all processes must know is on disk: a permission is taken there, under a lock, before the query that it is for is
sent. Where nothing is limited, only what was learned is written, now and then. Touches: clock, disk.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext, suppress
from datetime import UTC, datetime

from crawler.errors import NotNowError
from crawler.lake.standing import StandingFile
from crawler.plan.hours import Hours
from crawler.plan.polite import Manners, Politeness, Standing, Wait, kind_of
from jobs.shared import Shared

LOOK_EVERY = 0.25
"""Seconds after which one who waits looks whether that is over sooner."""

GRACE = 5.0
"""Seconds for which queries under way may go on when nothing may be asked any longer."""

LONG = 30.0
"""Who has to wait for longer hangs up meanwhile."""


class Gate:
    """The gate of one PACS. Without further words it is open to everybody."""

    def __init__(
        self, name: str, manners: Manners | None = None, hours: Hours | None = None, kept: StandingFile | None = None
    ) -> None:
        self.name = name
        self.hours = hours
        self.shared = Shared(Politeness(name, manners or Manners()), kept)
        self.stopping = asyncio.Event()
        """Set when nobody shall be let through any more."""
        self.stopped: str | None = None
        """Why, where nobody typed it."""
        self.say_closed: Callable[[], str | None] = lambda: "its hours are over"
        """Says why the PACS may not be asked now."""
        self.insists = False
        """Whether a person wants to know if a PACS that gave no answer gives one now."""
        self.given_up = False
        """Whether nobody waits any more for a PACS that gives no answer."""
        self.cuts: list[Callable[[], None]] = []
        """Each hangs up on whatever one caller is asking."""
        self.waiting: Wait | None = None
        """What keeps those who want to ask, just now."""
        self._polite = self.shared.polite
        self._open_until = math.inf if hours is None else 0.0

    @property
    def standing(self) -> Standing:
        """How it stands with the PACS."""
        return self._polite.standing

    async def ready(self, hang_up: Callable[[], Awaitable[None]] | None = None) -> bool:
        """Wait until the PACS may be called; False when that will not be. Before a long wait, hang up."""
        while not (self.stopping.is_set() or self.given_up):
            now = time.time()
            if now >= self._open_until and not self._is_within_hours(now):
                self.stop(self.say_closed())
                return False
            wait = self._wait(now)
            if wait is None and (self.insists or not self.standing.is_open or self._try_again()):
                self.waiting = None
                return True
            self.waiting = wait
            if hang_up is not None and wait is not None and wait.seconds > LONG:
                await hang_up()
            await self.stopped_within(min(LOOK_EVERY, wait.seconds if wait else LOOK_EVERY))
        return False

    def take(self) -> bool:
        """Take the permission for a query that is sent at once; False when another was quicker."""
        now, polite = time.time(), self._polite
        if self.stopping.is_set() or now >= self._open_until:
            return False
        known = polite.is_easy or self.shared.is_alone or polite.is_permitted(now)
        with nullcontext() if known else self.shared.told():
            if polite.wait(now) is not None:
                return False
            polite.asked(now)
        return True

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[None]:
        """Let one query through, sent and answered within the block; NotNowError when none may go any longer."""
        while await self.ready():
            if self.take():
                break
        else:
            raise NotNowError(f"{self.name} may not be asked any longer: {self.stopped or 'a stop was asked for'}")
        try:
            yield
        finally:
            self.let_go()

    def answered(self, level: str, rows: int, seconds: float, *, refused: bool = False) -> None:
        """Tell of a query that came to its end, in so many seconds."""
        now, polite = time.time(), self._polite
        with self.shared.told() if self.standing.failures else nullcontext():
            if refused:
                polite.refused(now)
            else:
                polite.answered(now, kind_of(level, rows), seconds)
        self.shared.note()

    def lost(self, *, began: bool) -> None:
        """Tell of a query whose answer did not come to its end, or did not even begin."""
        if began:
            self._polite.broke_off(time.time())
            self.shared.note()
        elif self.stopping.is_set():  # it may have been us who hung up
            self.let_go()
        else:
            with self.shared.told() as polite:
                polite.failed(time.time(), random.random(), asked=True)

    def unreached(self) -> None:
        """Tell that the PACS took no association."""
        if not self.stopping.is_set():
            with self.shared.told() as polite:
                polite.failed(time.time(), random.random(), asked=False)

    def let_go(self) -> None:
        """Tell of a query that came to nothing for reasons of our own, or of which nobody shall learn."""
        self._polite.let_go(time.time())
        self.shared.note()

    async def stopped_within(self, seconds: float) -> bool:
        """Wait so long, or until a stop is asked for; say which."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), seconds)
        return self.stopping.is_set()

    def stop(self, why: str | None = None) -> None:
        """Let nobody through any more; where nobody typed it, hang up on who takes long to end."""
        if why and not self.stopped:
            self.stopped = why
            asyncio.get_running_loop().call_later(GRACE, self.cut)
        self.stopping.set()

    def cut(self) -> None:
        """Hang up on queries under way."""
        for cut in self.cuts:
            cut()

    def _is_within_hours(self, now: float) -> bool:
        """Look at the hours of the PACS, and note when they end."""
        moment = datetime.fromtimestamp(now, UTC)
        if self.hours is None or not self.hours.allow(moment):
            return False
        change = self.hours.next_change(moment)
        self._open_until = change.timestamp() if change else math.inf
        return True

    def _wait(self, now: float) -> Wait | None:
        away = None if self.insists else self._polite.kept_away(now)
        return away or self._polite.wait(now)

    def _try_again(self) -> bool:
        """Be the one who tries whether a PACS that gave no answer is back; False when another is."""
        now = time.time()
        with self.shared.told() as polite:
            if polite.kept_away(now) is not None:
                return False
            polite.try_again(now)
        return True
