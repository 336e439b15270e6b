"""What people can have done by way of the service's pages. Touches: disk, clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from crawler.lake.requests import Request, Requests
from crawler.serve.reports import Days
from crawler.settings import Settings
from jobs.pacs import moment_of, pause, resume
from jobs.reports import question_of


class LakeActions:
    """Does at once what is quick, and writes down for the service what is not."""

    def __init__(self, settings: Callable[[], Settings], wake: Callable[[], object]) -> None:
        self._settings = settings
        self._wake = wake

    def pause(self, pacs: str, until: str | None, reason: str) -> str:
        """Have a PACS left alone, until a time or until it is resumed. UserError for a time that is none."""
        settings = self._settings()
        return pause(settings, pacs, moment_of(settings, until) if until else None, reason)

    def resume(self, pacs: str) -> str:
        """Let a PACS be asked again. UserError for one that is not configured."""
        said = resume(self._settings(), pacs)
        self._wake()
        return said

    def backfill(self, asked: Days, by: str) -> str:
        """Have the days asked for that are not proven. UserError for a PACS that is not configured."""
        settings = self._settings()
        settings.require_pacs(asked.pacs)
        question_of(asked)
        wanted = Request(tuple(asked.pacs), asked.date_from, asked.date_to, asked.level, by, datetime.now(UTC))
        Requests(settings.lake.path).add(wanted)
        self._wake()
        return "The days that are not proven will be asked for as soon as the service has done what it is doing"
