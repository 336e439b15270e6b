"""What routes need of the service, and how they get at it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast
from urllib.parse import parse_qs

from fastapi import Depends, HTTPException
from starlette.requests import Request

from crawler.serve.access import Person, Role
from crawler.serve.audit import Audit
from crawler.serve.reports import Actions, Reports
from crawler.serve.sql.client import Sandbox
from crawler.serve.web.audited import AuditedActions, AuditedSandbox


@dataclass(frozen=True, slots=True)
class Parts:
    """What the service gives its pages."""

    reports: Reports
    actions: Actions
    sandbox: Sandbox
    audit: Audit


def _parts(request: Request) -> Parts:
    return cast("Parts", request.app.state.parts)


def _reports(request: Request) -> Reports:
    return _parts(request).reports


def _actions(request: Request) -> Actions:
    """Give them to an operator only."""
    person, parts = _person(request), _parts(request)
    if not person.is_operator:
        raise HTTPException(403, f"this wants the role {Role.OPERATOR.name.lower()}")
    return AuditedActions(parts.actions, parts.audit, person)


def _person(request: Request) -> Person:
    return cast("Person", request.state.person)


def _sandbox(request: Request) -> AuditedSandbox:
    parts = _parts(request)
    return AuditedSandbox(parts.sandbox, parts.audit, _person(request), parts.reports)


async def _form(request: Request) -> dict[str, str]:
    """Read what a form sent; of a field that came twice the last."""
    text = (await request.body()).decode(errors="replace")
    return {name: values[-1] for name, values in parse_qs(text, max_num_fields=50).items()}


Telling = Annotated[Reports, Depends(_reports)]
Doing = Annotated[Actions, Depends(_actions)]
Looking = Annotated[Person, Depends(_person)]
Answering = Annotated[AuditedSandbox, Depends(_sandbox)]
Form = Annotated[dict[str, str], Depends(_form)]
