"""What the lake's C-MOVE does not have is asked of the PACS that has it, through the gate of that PACS.

Touches: network, disk, clock.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from crawler.errors import NotNowError, PeerError
from crawler.lake.elsewhere import Elsewhere
from crawler.model import AETitle, Level, Model
from crawler.pacs.association import connect
from crawler.pacs.command import Counters
from crawler.pacs.sop_classes import MOVE_CLASSES
from crawler.retrieve.move import move
from crawler.retrieve.retrieval import Retrieval
from crawler.retrieve.status import Ending, Moved, describe
from crawler.retrieve.wanted import Wanted
from crawler.serve.find.forwarding import Passed
from crawler.settings import Settings
from jobs.gate import Gate
from jobs.permission import closed, gate_of, said, watching

_COUNTED = ("completed", "failed", "warning")


class PassingOn:
    """Passes requests on: one at a time to each PACS, to none that speaks DICOMweb."""

    def __init__(self, settings: Settings) -> None:
        self.pacs = frozenset(name for name, pacs in settings.pacs.items() if not pacs.web)
        self._settings = settings
        self._turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def passing(self, part: Elsewhere, destination: str) -> PassedOn:
        """Make the request for what a PACS has."""
        return PassedOn(self._settings, part, AETitle(destination), self._turns[part.pacs])


class PassedOn:
    """The C-MOVEs for one part: one, or where many instances are named, several."""

    def __init__(self, settings: Settings, part: Elsewhere, destination: AETitle, turn: asyncio.Lock) -> None:
        self._settings = settings
        self._part = part
        self._destination = destination
        self._turn = turn
        self._under_way: Retrieval | None = None
        self._gate: Gate | None = None
        self._moved: list[Moved] = []

    @property
    def progress(self) -> Counters:
        """What the PACS has counted so far."""
        told: list[Moved | Counters] = [*self._moved, *([self._under_way.progress] if self._under_way else [])]
        return Counters(None, *(sum(getattr(one, name) or 0 for one in told) for name in _COUNTED))

    async def run(self) -> Passed:
        """Ask, and wait for the end; what goes wrong is its reason."""
        reason = ""
        try:
            async with self._turn:
                await self._ask()
        except NotNowError as error:
            reason = f"{self._part.pacs} may not be asked now"
            self._log(str(error))
        except PeerError as error:
            reason = f"{self._part.pacs}: it could not be asked, or did not end"
            self._log(str(error))
        else:
            if odd := next((one for one in self._moved if one.ending is not Ending.SUCCESS), None):
                reason = f"{self._part.pacs}: {describe(odd.status)}"
                self._log(reason)
        failed = tuple(uid for one in self._moved for uid in one.failed_instances)
        return Passed(self.progress, failed, reason)

    def cancel(self) -> bool:
        """Ask the PACS to stop; false where it was not asked for anything yet."""
        if self._gate is not None:
            self._gate.stopping.set()
        if self._under_way is not None:
            self._under_way.cancel()
        return self._under_way is not None or bool(self._moved)

    async def _ask(self) -> None:
        settings, name = self._settings, self._part.pacs
        if found := closed(settings, name, datetime.now(UTC)):
            raise NotNowError(f"{name} may not be asked now: {said(settings, found)}")
        self._gate, peer = gate_of(settings, name), settings.peer(name)
        gate = self._gate
        gate.insists = True  # somebody waits
        gate.cuts.append(self._cut)
        limits = replace(peer.limits, idle_timeout=settings.pacs[name].retrieve_idle_timeout)
        async with watching(settings, {name: gate}):
            for wanted in _wanted(self._part).parts():
                async with gate.asking(), connect(peer, [MOVE_CLASSES[Model.STUDY_ROOT]]) as association:
                    self._under_way = move(association, wanted, self._destination, limits)
                    moved = await self._under_way.run()
                    self._under_way = None
                    self._moved.append(moved)

    def _cut(self) -> None:
        self.cancel()

    def _log(self, reason: str) -> None:
        structlog.get_logger().warning("not all could be forwarded", pacs=self._part.pacs, reason=reason)


def _wanted(part: Elsewhere) -> Wanted:
    study = {"StudyInstanceUID": part.study}
    if part.series is None:
        return Wanted(Model.STUDY_ROOT, Level.STUDY, (part.study,))
    if part.by_name:
        return Wanted(Model.STUDY_ROOT, Level.IMAGE, part.names, study | {"SeriesInstanceUID": part.series})
    return Wanted(Model.STUDY_ROOT, Level.SERIES, (part.series,), study)
