"""The documents as pages: Markdown becomes HTML, in which no HTML of its own stays. Touches: disk."""

from __future__ import annotations

from functools import cache

from fastapi import APIRouter, HTTPException
from markdown_it import MarkdownIt
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from crawler.errors import UserError
from crawler.serve.web.parts import Telling
from crawler.serve.web.rendering import page

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_SCROLLS = (
    ("<pre>", '<pre tabindex="0">'),
    ("<table>", '<div class="wide" tabindex="0"><table>'),
    ("</table>", "</table></div>"),
)
"""What may be wider than a screen scrolls by itself, by the keyboard too."""


@router.get("/docs")
def contents(request: Request, reports: Telling) -> Response:
    """Name the documents, in the order in which they are read."""
    return page(request, "documents.html", parts=reports.documents())


@router.get("/docs/pictures/{name}")
def picture(name: str, reports: Telling) -> Response:
    """Give a picture of theirs."""
    try:
        return Response(reports.picture(name), media_type="image/png")
    except UserError as error:
        raise HTTPException(404, str(error)) from None


@router.get("/docs/{name:path}")
def document(request: Request, name: str, reports: Telling) -> Response:
    """Show one."""
    try:
        title, text = reports.document(name)
    except UserError as error:
        raise HTTPException(404, str(error)) from None
    return page(request, "document.html", title=title, text=_as_html(text))


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("table")


def _as_html(text: str) -> Markup:
    found = _parser().render(text)
    for one, other in _SCROLLS:
        found = found.replace(one, other)
    return Markup(found)  # what stood in the text as HTML is escaped
