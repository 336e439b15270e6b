"""What pages, interface and commands show of a lake and its settings, gathered in one place. Touches: disk, clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

from crawler.errors import LakeError, NoLakeError, UserError
from crawler.lake import recent, tallies
from crawler.lake.requests import Request, Requests
from crawler.model import Level
from crawler.serve import reports as shapes
from crawler.settings import Settings
from jobs.proof import Question

A_WEEK, AN_HOUR = timedelta(days=7), timedelta(hours=1)


class LakeReports:
    """Reads everything anew each time it is asked; settings may have been reloaded meanwhile."""

    def __init__(
        self, settings: Callable[[], Settings], doing: Callable[[], tuple[str, datetime] | None] = lambda: None
    ) -> None:
        self._settings = settings
        self._doing = doing

    def pacs_names(self) -> list[str]:
        """Name every PACS that is configured, or in the ledger."""
        settings = self._settings()
        try:
            known = recent.pacs_names(settings.lake.path)
        except NoLakeError:
            known = []
        return sorted({*settings.pacs, *known})

    def status(self) -> shapes.Status:
        """Give what `pacslake status` gives."""
        from jobs.status import status_values

        return shapes.Status.model_validate(status_values(self._settings()))

    def coverage(self, asked: shapes.Days) -> shapes.Coverage:
        """Say what is proven."""
        from jobs.coverage import coverage_values
        from jobs.proof import proofs

        question = question_of(asked)
        return shapes.Coverage.model_validate(
            coverage_values(proofs(self._settings(), question, date.today()), question)
        )

    def windows(self, pacs: str, day: date | None) -> shapes.Windows:
        """Give what was asked about a day; None: the studies without a date. UserError for a PACS that is none."""
        settings = self._settings()
        if pacs not in self.pacs_names():
            settings.require_pacs([pacs])
        return shapes.Windows.model_validate({"windows": recent.windows_about(settings.lake.path, pacs, day)})

    def backfill_plan(self, asked: shapes.Days) -> shapes.BackfillPlan:
        """Say what a backfill would ask for. UserError for a PACS that is not configured."""
        from jobs.backfill import planned

        return shapes.BackfillPlan.model_validate(planned(self._settings(), question_of(asked)))

    def health(self) -> shapes.Health:
        """Say how it stands with each PACS."""
        from jobs.pacs import pacs_values

        settings, now = self._settings(), datetime.now(UTC)
        lake = settings.lake.path
        try:
            asked, answering, learned = (
                recent.asked_since(lake, now - AN_HOUR),
                recent.answering(lake, now - A_WEEK),
                recent.learned(lake),
            )
        except NoLakeError:
            asked, answering, learned = {}, [], []
        found = []
        for one in pacs_values(settings, now):
            name = one["pacs"]
            of_lake = {
                "queries_last_hour": asked.get(name, 0),
                "answering": [row for row in answering if row["pacs"] == name],
                "learned": [row for row in learned if row["pacs"] == name],
            }
            found.append(one | of_lake)
        return shapes.Health.model_validate({"pacs": found})

    def plan(self) -> shapes.Nights:
        """Give what `pacslake plan` gives."""
        from jobs.plan import plan_values

        return shapes.Nights.model_validate(plan_values(self._settings()))

    def sweeps(self, most: int) -> shapes.Sweeps:
        """Give the last sweeps, and what is being done."""
        lake, doing = self._settings().lake.path, self._doing()
        now, waiting = None, dict(Requests(lake).waiting())
        if doing:
            name, since = doing
            request = waiting.pop(name, None)
            job = _said(request) if request else name.strip("()")
            try:
                windows, rows = recent.settled_since(lake, since)
            except LakeError:  # its first sweep has not published anything yet
                windows = rows = 0
            now = {"job": job, "since": since, "windows": windows, "rows": rows}
        try:
            found = recent.sweeps(lake, most)
        except NoLakeError:
            found = []
        said = [_said(request) for request in waiting.values()]
        return shapes.Sweeps.model_validate({"doing": now, "waiting": said, "sweeps": found})

    def explored(self, wanted: shapes.Conditions) -> shapes.Explored:
        """Count current rows, as they were when they were last counted."""
        conditions = {name: getattr(wanted, name) for name in tallies.DIMENSIONS}
        narrowed = {name: value or None for name, value in conditions.items() if value is not None}
        age, found = self._age(), tallies.Exploration()
        if age["version"] is not None:
            months = (wanted.month_from, wanted.month_to)
            found = tallies.explore(self._settings().lake.path, wanted.level, months, narrowed)
        return shapes.Explored.model_validate({"level": wanted.level, **age, **asdict(found)})

    def quality(self) -> shapes.Quality:
        """Say what is odd in the data, as it was when it was last counted."""
        age = self._age()
        tables = {"faults": "faulty", "late": "late", "conflicts": "conflicting", "rejects": "rejected"}
        lake = self._settings().lake.path
        known = age["version"] is not None
        rows = {name: tallies.counted(lake, table) if known else [] for name, table in tables.items()}
        return shapes.Quality.model_validate({**age, **rows})

    def dictionary(self, tables: list[str]) -> list[shapes.Column]:
        """Describe the columns of these tables, of all when none is named. UserError for a table that is none."""
        from jobs.dictionary import described, plain

        return [shapes.Column.model_validate(plain(entry)) for entry in described(self._settings(), tables)]

    def settings(self) -> dict[str, Any]:
        """Give the settings as they hold; they name files with secrets, and hold none."""
        return self._settings().model_dump(mode="json")

    def documents(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Give each part of the documents: its caption, and name and title of its pages."""
        from jobs import manual

        return [(part, [(name, manual.title_of(name)) for name in names]) for part, names in manual.parts()]

    def document(self, name: str) -> tuple[str, str]:
        """Give the title of one and, in Markdown, its text. UserError for one that there is not."""
        from jobs import manual

        found = manual.document(name)
        return found.title, manual.linked(found)

    def picture(self, name: str) -> bytes:
        """Give a picture of theirs, as PNG. UserError for one that there is not."""
        from jobs import manual

        return manual.picture(name)

    def _age(self) -> dict[str, Any]:
        lake = self._settings().lake.path
        known = tallies.tallied(lake)
        if known is None:
            return {"version": None, "counted_at": None, "behind": 0}
        return {"version": known.version, "counted_at": known.at, "behind": recent.version_of(lake) - known.version}


def question_of(asked: shapes.Days) -> Question:
    """Put it as the ledger is asked. UserError for days in the wrong order."""
    if asked.date_from and asked.date_to and asked.date_from > asked.date_to:
        raise UserError(f"the first day, {asked.date_from}, is after the last, {asked.date_to}")
    level = Level(asked.level) if asked.level else None
    return Question(tuple(dict.fromkeys(asked.pacs)), asked.date_from, asked.date_to, level)


def _said(request: Request) -> str:
    days = f"{request.date_from or 'the beginning'} to {request.date_to or 'the end'}"
    return f"backfill of {', '.join(request.pacs) or 'every PACS'}, {days}, asked for by {request.by}"
