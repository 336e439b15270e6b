"""Gathers what was received, so that many objects share the cost of being made durable. Touches: clock, threads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

from crawler.retrieve.incoming import Arrived

_GATHER = 0.1
"""Seconds that a group gathers at most; syncing many files costs little more than syncing one."""
_PAUSE = 0.01
"""Seconds without another object after which a group gathers no longer."""
_MOST_WAITING = 512
"""Files that may wait; then their senders wait with them."""


Aside = Callable[..., Awaitable[Any]]
"""Calls a function with arguments in a thread, and gives what it gives."""


class Groups:
    """Hands groups to `settle`, one at a time. What gathers meanwhile is the next group."""

    def __init__(
        self, settle: Callable[[list[Arrived], Aside], Awaitable[None]], discard: Callable[[Arrived], None]
    ) -> None:
        self._settle = settle
        self._discard = discard
        self._waiting: list[Arrived] = []
        self._in_hand = 0
        self._came = asyncio.Event()
        self._went = asyncio.Event()
        self._hurry = asyncio.Event()
        """Set when somebody waits."""
        self._closing = False
        self._task = asyncio.get_running_loop().create_task(self._run())

    @property
    def is_over(self) -> bool:
        """Whether nothing is settled any more; `close` says why."""
        return self._task.done()

    @property
    def has_room(self) -> bool:
        """Whether no more objects wait than may."""
        return len(self._waiting) < _MOST_WAITING or self.is_over

    async def room(self) -> None:
        """Wait while too many wait."""
        while not self.has_room:
            await self._wait_for_change()

    def add(self, arrived: Arrived) -> None:
        """Take an object that was received whole."""
        self._waiting.append(arrived)
        self._came.set()

    async def settled(self) -> None:
        """Wait until everything that was taken is settled."""
        while (self._waiting or self._in_hand) and not self.is_over:
            await self._wait_for_change()

    async def close(self) -> None:
        """Settle what waits and end. Raises what `settle` raised."""
        self._closing = True
        self._came.set()
        self._hurry.set()
        try:
            await self._task
        finally:
            for arrived in self._waiting:
                self._discard(arrived)

    async def _wait_for_change(self) -> None:
        self._went.clear()
        self._hurry.set()
        await self._went.wait()

    async def _gather(self) -> None:
        """Let a group gather while objects keep coming and nobody waits for it."""
        for _ in range(round(_GATHER / _PAUSE)):
            before = len(self._waiting)
            with suppress(TimeoutError):
                async with asyncio.timeout(_PAUSE):
                    await self._hurry.wait()
            if self._hurry.is_set() or len(self._waiting) == before:
                return

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "settle") as thread:
            aside = partial(loop.run_in_executor, thread)
            try:
                while self._waiting or not self._closing:
                    await self._came.wait()
                    await self._gather()
                    self._came.clear()
                    self._hurry.clear()
                    group, self._waiting = self._waiting, []
                    self._in_hand = len(group)
                    await self._settle(group, aside)
                    self._in_hand = 0
                    self._went.set()
            finally:
                self._went.set()
