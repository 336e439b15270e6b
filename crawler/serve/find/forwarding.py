"""What is not here is asked of the PACS that has it, to be sent to the same destination: counted as that PACS counts.

What it does not count has failed. Touches: network.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from crawler.lake.elsewhere import Elsewhere
from crawler.pacs.command import UNCOUNTED, Counters
from crawler.serve.find.errand import Errand

_GLANCE = 0.2
"""Seconds between looks whether whoever asked has cancelled or gone."""
_PENDING_EVERY = 10
"""Looks from one pending response to the next."""


@dataclass(frozen=True, slots=True)
class Passed:
    """What came of a request that was passed on."""

    counters: Counters = UNCOUNTED
    """Of the PACS's final response."""
    failed_uids: tuple[str, ...] = ()
    reason: str = ""
    """Why not all was sent, in a few words."""


class Passing(Protocol):
    """A request to a PACS; `run` it once."""

    @property
    def progress(self) -> Counters:
        """What the PACS's newest response counts."""

    async def run(self) -> Passed:
        """Ask, and wait for the end."""

    def cancel(self) -> bool:
        """Ask the PACS to stop; false where it was not asked for anything yet."""


class Forwarder(Protocol):
    """Passes requests on to PACS."""

    @property
    def pacs(self) -> Collection[str]:
        """Those to whom it may."""

    def passing(self, part: Elsewhere, destination: str) -> Passing:
        """Make the request for what a PACS has."""


async def forward(errand: Errand, parts: Sequence[Elsewhere], forwarder: Forwarder) -> None:
    """Have all of it sent, one request after the other, until the errand is not wanted any more."""
    for part in parts:
        if not errand.is_wanted:
            return
        errand.go_on()
        passing = forwarder.passing(part, errand.request.command.move_destination)
        passed = await _followed(errand, passing, len(part.here))
        if passed is not None:
            _count(errand, part, passed)


async def _followed(errand: Errand, passing: Passing, again: int) -> Passed | None:
    """Wait for the end of one request, and pass on that it is cancelled; None where the PACS was not asked.

    `again` are so many of which the destination has each already.
    """
    running, looks, is_told = asyncio.create_task(passing.run()), 0, False
    try:
        while not running.done():
            await asyncio.wait({running}, timeout=_GLANCE)
            looks += 1
            if not errand.is_wanted:
                if not is_told and not passing.cancel():
                    return None
                is_told = True
            elif looks % _PENDING_EVERY == 0:
                errand.go_on(max(0, (passing.progress.completed or 0) - again))
        return running.result()
    finally:
        running.cancel()


def _count(errand: Errand, part: Elsewhere, passed: Passed) -> None:
    """Add what the PACS counts; what is here and was sent once more is not counted again."""
    told, counted = errand.told, passed.counters
    completed, warning = max(0, (counted.completed or 0) - len(part.here)), counted.warning or 0
    told.completed += completed
    told.warning += warning
    left = max(counted.failed or 0, part.count - completed - warning)
    told.remaining -= part.count
    if not errand.is_wanted:  # cancelled: what it did not come to is neither sent nor failed
        not_begun = max(0, left - (counted.failed or 0))
        told.remaining += not_begun
        left -= not_begun
    told.failed += left
    if left:
        uncounted = f"{part.pacs} counts {completed + warning} of {part.count}"
        errand.comment = errand.comment or passed.reason or uncounted
    named = passed.failed_uids or (part.names if left >= part.count else ())
    told.failed_uids += [uid for uid in named if uid not in part.here] if left else []
