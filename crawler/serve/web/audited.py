"""Actions and questions that are written down with who had them done, or asked. Touches: disk, processes."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from typing import ParamSpec

import pyarrow as pa

from crawler.columns import Phi
from crawler.errors import PacslakeError
from crawler.serve.access import Person
from crawler.serve.audit import Action, Audit
from crawler.serve.reports import Actions, Days, Reports
from crawler.serve.sql.client import Answer, Parameters, Sandbox

P = ParamSpec("P")

UNFINISHED = "not waited for"


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


class AuditedSandbox:
    """SQL of one person: analysts are answered with everything. What cannot be written down is not shown."""

    def __init__(self, sandbox: Sandbox, audit: Audit, person: Person, reports: Reports) -> None:
        self._sandbox = sandbox
        self._audit = audit
        self._person = person
        self._reports = reports

    async def ask(self, sql: str, *, parameters: Parameters = (), max_rows: int | None = None) -> Answer:
        """Answer one SELECT, as `Sandbox.ask` does."""
        phi = self._person.is_analyst
        answer, outcome = None, UNFINISHED
        try:
            answer = await self._sandbox.ask(sql, phi=phi, parameters=parameters, max_rows=max_rows)
            outcome = "done"
        except PacslakeError as error:
            outcome = str(error)
            raise
        finally:
            if phi:
                await _surely(self._note_answer, _with(sql, parameters), answer, outcome)
        return answer

    async def export(self, sql: str, kind: str) -> AsyncGenerator[bytes, None]:
        """Give the whole answer as a file of this kind, as `Sandbox.export` does."""
        size, outcome = 0, UNFINISHED
        try:
            async with aclosing(self._sandbox.export(sql, kind, phi=self._person.is_analyst)) as pieces:
                async for piece in pieces:
                    if not size:
                        await _surely(self._note_export, sql, "begun")
                    size += len(piece)
                    yield piece
            outcome = f"done, {size} bytes of {kind}"
        except PacslakeError as error:
            outcome = str(error)
            raise
        finally:
            await _surely(self._note_export, sql, outcome)

    def _note_answer(self, sql: str, answer: Answer | None, outcome: str) -> None:
        if answer is None:
            self._audit.note(self._person, Action.SQL, what=sql, outcome=outcome, phi_columns=self._phi(sql))
            return
        self._audit.note(
            self._person,
            Action.SQL,
            what=sql,
            outcome=outcome,
            rows=answer.table.num_rows,
            seconds=round(answer.seconds, 3),
            lake_version=answer.version,
            phi_columns=self._phi(sql, answer.table.schema),
        )

    def _note_export(self, sql: str, outcome: str) -> None:
        self._audit.note(self._person, Action.EXPORT, what=sql, outcome=outcome, phi_columns=self._phi(sql))

    def _phi(self, sql: str, schema: pa.Schema | None = None) -> list[str]:
        """Name the columns that identify somebody, of those that the question names and the answer has."""
        if not self._person.is_analyst:
            return []
        words = {word.lower() for word in re.findall(r"\w+", sql)}
        named = words | {name.lower() for name in _names(schema or ())}
        telling = [one for one in self._reports.dictionary([]) if one.phi != Phi.NONE and one.table in words]
        return sorted({one.column for one in telling if one.column.lower() in named})


async def _surely(note: Callable[P, None], *given: P.args, **named: P.kwargs) -> None:
    """Write in a thread, to the end even if whoever asked leaves meanwhile."""
    await asyncio.shield(asyncio.to_thread(note, *given, **named))


def _names(fields: pa.Schema | pa.DataType | tuple[()]) -> Iterator[str]:
    """Give the names of columns, and of what lies inside them."""
    for field in fields:
        yield field.name
        if pa.types.is_struct(field.type):
            yield from _names(field.type)


def _with(sql: str, parameters: Parameters) -> str:
    """Give a question together with the values that it was asked with."""
    return f"{sql} -- {json.dumps(parameters)}" if parameters else sql
