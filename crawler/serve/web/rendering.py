"""Pages out of templates. Every value is escaped. Touches: disk, for the package's own templates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cache
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

PAGES = (
    ("/coverage", "Coverage"),
    ("/health", "PACS health"),
    ("/sweeps", "Sweeps"),
    ("/explore", "Explore"),
    ("/quality", "Data quality"),
    ("/sql", "SQL"),
    ("/dictionary", "Dictionary"),
    ("/settings", "Settings"),
    ("/docs", "Documents"),
)


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Render a template for whoever asks."""
    state = request.state
    known = {"pages": PAGES, "path": request.url.path, "person": state.person, "token": state.token}
    known |= {"has_session": state.has_session}
    return HTMLResponse(_environment().get_template(template).render(**known, **values), status_code=status)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("crawler.serve.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(moment=_moment, number=_number, data=_data, took=_took, clock=_clock)
    environment.globals.update(query=query)
    return environment


def query(known: Mapping[str, Any], **changed: Any) -> str:
    """Give a query string: what is known, some of it changed, without what is None."""
    merged = {**known, **changed}
    return urlencode({name: value for name, value in merged.items() if value is not None})


def _moment(value: datetime | None) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if value else "never"


def _clock(time: str | None) -> str:
    """Write a time of the ledger, 120000, as people do."""
    return f"{time[:2]}:{time[2:4]}:{time[4:6]}" if time else ""


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _took(seconds: float | None) -> str:
    """Write seconds as h:mm:ss."""
    if seconds is None:
        return "?"
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def _data(value: Any) -> str:
    """Give JSON for an attribute, which the template escapes."""
    return json.dumps(value, default=lambda one: one.isoformat() if isinstance(one, date) else str(one))
