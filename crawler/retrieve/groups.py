"""Gathers what was received, so that many objects share the cost of being made durable. Touches: clock, threads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from crawler.retrieve.spool import Incoming

_GATHER = 0.02
"""Seconds that a group gathers at least; syncing many files costs little more than syncing one."""
_MOST_WAITING = 512
"""Files that may wait; then their senders wait with them."""


Aside = Callable[..., Awaitable[Any]]
"""Calls a function with arguments in a thread, and gives what it gives."""


class Groups:
    """Hands groups to `settle`, one at a time. What gathers meanwhile is the next group."""

    def __init__(self, settle: Callable[[list[Incoming], Aside], Awaitable[None]]) -> None:
        self._settle = settle
        self._waiting: list[Incoming] = []
        self._in_hand = 0
        self._came = asyncio.Event()
        self._went = asyncio.Event()
        self._closing = False
        self._task = asyncio.get_running_loop().create_task(self._run())

    @property
    def is_over(self) -> bool:
        """Whether nothing is settled any more; `close` says why."""
        return self._task.done()

    async def add(self, incoming: Incoming) -> None:
        """Take an object that was received whole; wait while too many do."""
        self._waiting.append(incoming)
        self._came.set()
        while len(self._waiting) >= _MOST_WAITING and not self.is_over:
            await self._wait_for_room()

    async def settled(self) -> None:
        """Wait until everything that was taken is settled."""
        while (self._waiting or self._in_hand) and not self.is_over:
            await self._wait_for_room()

    async def close(self) -> None:
        """Settle what waits and end. Raises what `settle` raised."""
        self._closing = True
        self._came.set()
        try:
            await self._task
        finally:
            for incoming in self._waiting:
                incoming.discard()

    async def _wait_for_room(self) -> None:
        self._went.clear()
        await self._went.wait()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "settle") as thread:
            aside = partial(loop.run_in_executor, thread)
            try:
                while self._waiting or not self._closing:
                    await self._came.wait()
                    if not self._closing:
                        await asyncio.sleep(_GATHER)
                    self._came.clear()
                    group, self._waiting = self._waiting, []
                    self._in_hand = len(group)
                    await self._settle(group, aside)
                    self._in_hand = 0
                    self._went.set()
            finally:
                self._went.set()
