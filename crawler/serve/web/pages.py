"""The pages, one function each. Touches: disk, clock."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from crawler.errors import NoLakeError
from crawler.serve.reports import Conditions, Days, Explored
from crawler.serve.web import calendar
from crawler.serve.web.parts import Doing, Form, Looking, Telling
from crawler.serve.web.rendering import page

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

UNDATED = "undated"
MOST_FACETS = 12
MOST_MODALITIES = 8
SWEEPS_SHOWN = 50


@router.get("/")
def home() -> Response:
    """Begin with what is proven."""
    return RedirectResponse("/coverage")


@router.get("/coverage")
def coverage(request: Request, reports: Telling, pacs: str | None = None, year: int | None = None) -> Response:
    """Show a year of one PACS as a calendar, and the other years in a line each."""
    names = reports.pacs_names()
    pacs = pacs or next(iter(names), None)
    try:
        known = reports.coverage(Days(pacs=[pacs])).pacs[0] if pacs else None
    except NoLakeError:
        known = None
    today = date.today()
    years = calendar.years(known, today) if known else []
    year = year or next((one.year for one in years), today.year)
    drawn = list(calendar.months(known, year, today)) if known else []
    shown: dict[str, Any] = {
        "names": names,
        "pacs": pacs,
        "known": known,
        "years": years,
        "year": year,
        "months": drawn,
    }
    return page(request, "coverage.html", **shown, marks=calendar.MARKS, said=calendar.SAID)


@router.get("/coverage/{pacs}/{day}")
def windows(request: Request, pacs: str, day: str, reports: Telling) -> Response:
    """Show what was asked about a day, inside the calendar's page or alone."""
    moment = _day(day)
    found = reports.windows(pacs, moment).windows
    template = "windows_part.html" if request.headers.get("HX-Request") else "windows.html"
    return page(request, template, pacs=pacs, day=moment, windows=found, marks=calendar.MARKS)


@router.get("/backfill")
def backfill_plan(request: Request, reports: Telling, asked: Annotated[Days, Query()]) -> Response:
    """Show what a backfill would ask for, and the button that has it done."""
    template = "backfill_part.html" if request.headers.get("HX-Request") else "backfill.html"
    return page(request, template, asked=asked, plan=reports.backfill_plan(asked))


@router.post("/backfill")
def backfill(request: Request, actions: Doing, person: Looking, form: Form) -> Response:
    """Have days asked for that are not proven."""
    days = {name: form.get(name) or None for name in ("date_from", "date_to", "level")}
    wanted = Days.model_validate({"pacs": [form["pacs"]] if form.get("pacs") else [], **days})
    return page(request, "said.html", status=202, said=actions.backfill(wanted, person.name), back="/sweeps")


@router.get("/health")
def health(request: Request, reports: Telling) -> Response:
    """Show how it stands with each PACS."""
    return page(request, "health.html", found=reports.health().pacs)


@router.post("/health/{pacs}/pause")
def pause(request: Request, pacs: str, actions: Doing, form: Form) -> Response:
    """Have a PACS left alone."""
    said = actions.pause(pacs, form.get("until") or None, form.get("reason", ""))
    return page(request, "said.html", said=said, back="/health")


@router.post("/health/{pacs}/resume")
def resume(request: Request, pacs: str, actions: Doing) -> Response:
    """Let a PACS be asked again."""
    return page(request, "said.html", said=actions.resume(pacs), back="/health")


@router.get("/sweeps")
def sweeps(request: Request, reports: Telling) -> Response:
    """Show the last sweeps, and what is being done."""
    found = reports.sweeps(SWEEPS_SHOWN)
    bars = [
        {
            "started": one.started_at,
            "pacs": one.pacs,
            "state": one.state,
            "minutes": round(((one.finished_at or one.started_at) - one.started_at).total_seconds() / 60, 2),
        }
        for one in reversed(found.sweeps)
    ]
    return page(request, "sweeps.html", found=found, bars=bars, plans=reports.plan().plans)


@router.get("/sweeps/now")
def sweeps_now(request: Request, reports: Telling) -> Response:
    """Show what is being done at this moment."""
    return page(request, "now_part.html", found=reports.sweeps(1))


@router.get("/explore")
def explore(request: Request, reports: Telling, wanted: Annotated[Conditions, Query()]) -> Response:
    """Show counts by month, modality, scanner and body part, each value a link that narrows to it."""
    found = reports.explored(wanted)
    known = wanted.model_dump(exclude_none=True, mode="json")
    facets = {name: values[:MOST_FACETS] for name, values in found.facets.items()}
    hidden = {name: len(values) - len(facets[name]) for name, values in found.facets.items()}
    shown: dict[str, Any] = {
        "found": found,
        "known": known,
        "facets": facets,
        "hidden": hidden,
        "chart": _by_month(found),
    }
    return page(request, "explore.html", **shown)


@router.get("/quality")
def quality(request: Request, reports: Telling) -> Response:
    """Show what is odd in the data."""
    return page(request, "quality.html", found=reports.quality())


@router.get("/dictionary")
def dictionary(request: Request, reports: Telling, table: str = "studies") -> Response:
    """Describe the columns of one table."""
    everything = reports.dictionary([])
    tables = list(dict.fromkeys(column.table for column in everything))
    if table not in tables:
        raise HTTPException(404, f"there is no table {table!r}")
    return page(
        request,
        "dictionary.html",
        tables=tables,
        table=table,
        columns=[one for one in everything if one.table == table],
    )


@router.get("/settings")
def settings(request: Request, reports: Telling) -> Response:
    """Show the settings as they hold."""
    return page(request, "settings.html", sections=list(_sections(reports.settings())))


def _day(text: str) -> date | None:
    try:
        return None if text == UNDATED else date.fromisoformat(text)
    except ValueError:
        raise HTTPException(404, f"{text!r} is not a day, as 2024-01-31") from None


def _by_month(found: Explored) -> dict[str, Any]:
    """Give rows by month, a series for each of the commonest modalities and one for the others."""
    sums: dict[str, int] = {}
    for one in found.months:
        sums[one.modality or "none"] = sums.get(one.modality or "none", 0) + one.rows
    common = sorted(sums, key=lambda name: -sums[name])[:MOST_MODALITIES]
    names = [*common, "others"] if len(sums) > len(common) else common
    months = sorted({one.month for one in found.months if one.month})
    rows = {name: dict.fromkeys(months, 0) for name in names}
    for one in found.months:
        name = one.modality or "none"
        if one.month:
            rows[name if name in rows else "others"][one.month] += one.rows
    series = [{"name": name, "values": list(values.values())} for name, values in rows.items()]
    return {"months": [f"{month:%Y-%m}" for month in months], "series": series}


def _sections(values: dict[str, Any], path: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Give each section of the settings with its own keys, as the file has them."""
    own = {name: value for name, value in values.items() if not isinstance(value, dict)}
    found = [(path, own)] if own and path else []  # on top there are sections alone; one that is not set has no keys
    for name, value in values.items():
        if isinstance(value, dict):
            found += _sections(value, f"{path}.{name}" if path else name)
    return found
