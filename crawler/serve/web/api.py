"""The interface for programs, /api/v1: each page as JSON. FastAPI describes it in /api/v1/openapi.json.

Touches: disk.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from crawler.serve import reports as shapes
from crawler.serve.web.parts import Doing, Looking, Telling

PREFIX = "/api/v1"

router = APIRouter(prefix=PREFIX)


class Problem(BaseModel):
    """Why it could not be done, and what to do."""

    detail: str


class Done(BaseModel):
    """What came of it."""

    said: str


class Pause(BaseModel):
    """For how long a PACS is to be left alone."""

    until: str | None = None
    """As 06:00, the next one, or 2026-03-30 06:00; null: until it is resumed."""
    reason: str = ""


ANSWERS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "The question is wrong"},
    404: {"model": Problem, "description": "There is no lake yet"},
    503: {"model": Problem, "description": "The lake cannot be read"},
}
FORBIDDEN: dict[int | str, dict[str, Any]] = {403: {"model": Problem, "description": "Your role does not allow it"}}

Asked = Annotated[shapes.Days, Query()]


@router.get("/status", responses=ANSWERS)
def status(reports: Telling) -> shapes.Status:
    """Give each PACS's last sweep, rows and windows by state."""
    return reports.status()


@router.get("/coverage", responses=ANSWERS)
def coverage(asked: Asked, reports: Telling) -> shapes.Coverage:
    """Say which days are proven complete, and for the others why not."""
    return reports.coverage(asked)


@router.get("/windows", responses=ANSWERS)
def windows(pacs: str, reports: Telling, day: date | None = None) -> shapes.Windows:
    """Give what was asked about a day, newest first; without a day about the studies that have no date."""
    return reports.windows(pacs, day)


@router.get("/backfill", responses=ANSWERS)
def backfill_plan(asked: Asked, reports: Telling) -> shapes.BackfillPlan:
    """Say what a backfill would ask for."""
    return reports.backfill_plan(asked)


@router.post("/backfill", status_code=202, responses=ANSWERS | FORBIDDEN)
def backfill(asked: shapes.Days, actions: Doing, person: Looking) -> Done:
    """Have the days asked for that are not proven, as soon as the service has time."""
    return Done(said=actions.backfill(asked, person.name))


@router.get("/pacs", responses=ANSWERS)
def health(reports: Telling) -> shapes.Health:
    """Say how it stands with each PACS."""
    return reports.health()


@router.post("/pacs/{pacs}/pause", responses=ANSWERS | FORBIDDEN)
def pause(pacs: str, wanted: Pause, actions: Doing) -> Done:
    """Have a PACS left alone."""
    return Done(said=actions.pause(pacs, wanted.until, wanted.reason))


@router.post("/pacs/{pacs}/resume", responses=ANSWERS | FORBIDDEN)
def resume(pacs: str, actions: Doing) -> Done:
    """Let a PACS be asked again."""
    return Done(said=actions.resume(pacs))


@router.get("/plan", responses=ANSWERS)
def plan(reports: Telling) -> shapes.Nights:
    """Say what the next night will ask, and how long it will take."""
    return reports.plan()


@router.get("/sweeps", responses=ANSWERS)
def sweeps(reports: Telling, limit: Annotated[int, Query(ge=1, le=1000)] = 20) -> shapes.Sweeps:
    """Give the last sweeps, newest first, and what is being done."""
    return reports.sweeps(limit)


@router.get("/explore", responses=ANSWERS)
def explore(wanted: Annotated[shapes.Conditions, Query()], reports: Telling) -> shapes.Explored:
    """Count current series or studies."""
    return reports.explored(wanted)


@router.get("/quality", responses=ANSWERS)
def quality(reports: Telling) -> shapes.Quality:
    """Say what is odd in the data."""
    return reports.quality()


@router.get("/dictionary", responses=ANSWERS)
def dictionary(reports: Telling, table: Annotated[list[str] | None, Query()] = None) -> list[shapes.Column]:
    """Describe the columns of these tables, of all when none is named."""
    return reports.dictionary(table or [])


@router.get("/settings", responses=ANSWERS)
def settings(reports: Telling) -> dict[str, Any]:
    """Give the settings as they hold, defaults included."""
    return reports.settings()
