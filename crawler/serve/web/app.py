"""The whole site: pages, interface and assets, with the headers that keep browsers safe. Touches: disk."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles

from crawler.errors import LakeError, NoLakeError, PacslakeError, UserError
from crawler.serve.sql.client import BusyError
from crawler.serve.web import api, dicomweb, documents, login, pages, sql
from crawler.serve.web.parts import Parts
from crawler.serve.web.rendering import page


def web(parts: Parts, middleware: list[Middleware]) -> FastAPI:
    """Make the site; `middleware` must set `request.state.person` and `.token`, and comes before everything else."""
    app = FastAPI(
        title="pacslake",
        version=version("pacslake"),
        summary="What PACS hold, and how completely that is known",
        docs_url=None,  # they would fetch scripts from elsewhere
        redoc_url=None,
        openapi_url=f"{api.PREFIX}/openapi.json",
        middleware=[*middleware, Middleware(GZipMiddleware, minimum_size=2000)],
    )
    app.state.parts = parts
    for router in (api.router, sql.router, dicomweb.router, pages.router, sql.pages, documents.router, login.router):
        app.include_router(router)
    app.mount("/static", StaticFiles(packages=[("crawler.serve.web", "static")]))
    app.add_exception_handler(PacslakeError, _told)
    app.add_exception_handler(HTTPException, _told)
    app.add_exception_handler(RequestValidationError, _told)
    return app


async def _told(request: Request, error: Exception) -> Response:
    """Say what is wrong, as JSON to programs and as a page to people."""
    status, said = _sentence(error)
    if request.url.path.startswith((api.PREFIX, dicomweb.PREFIX)):
        return JSONResponse({"detail": said}, status_code=status)
    return page(request, "wrong.html", status=status, said=said)


def _sentence(error: Exception) -> tuple[int, str]:
    if isinstance(error, HTTPException):
        return error.status_code, str(error.detail)
    if isinstance(error, RequestValidationError):
        # What was typed is left out: it may be a patient's.
        wrong = [f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors()]
        return 422, "; ".join(wrong)
    status = {UserError: 400, NoLakeError: 404, LakeError: 503, BusyError: 503}
    return next((code for kind, code in status.items() if isinstance(error, kind)), 503), str(error)
