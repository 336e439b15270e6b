"""Actions that are written down with who had them done. Touches: disk."""

from __future__ import annotations

from collections.abc import Callable

from crawler.errors import PacslakeError
from crawler.serve.access import Person
from crawler.serve.audit import Action, Audit
from crawler.serve.reports import Actions, Days


class AuditedActions:
    """Actions of one person."""

    def __init__(self, actions: Actions, audit: Audit, person: Person) -> None:
        self._actions = actions
        self._audit = audit
        self._person = person

    def pause(self, pacs: str, until: str | None, reason: str) -> str:
        """Have a PACS left alone, until a time or until it is resumed."""
        return self._noted(Action.PAUSE, pacs, lambda: self._actions.pause(pacs, until, reason))

    def resume(self, pacs: str) -> str:
        """Let a PACS be asked again."""
        return self._noted(Action.RESUME, pacs, lambda: self._actions.resume(pacs))

    def backfill(self, asked: Days, by: str) -> str:
        """Have the days asked for that are not proven, as soon as the service has time."""
        return self._noted(Action.BACKFILL, asked.model_dump_json(), lambda: self._actions.backfill(asked, by))

    def _noted(self, action: Action, what: str, do: Callable[[], str]) -> str:
        """Do it first: a PACS must be paused on a full disk too."""
        try:
            said = do()
        except PacslakeError as error:
            self._audit.note(self._person, action, what=what, outcome=str(error))
            raise
        self._audit.note(self._person, action, what=what, outcome="done")
        return said
