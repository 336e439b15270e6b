"""SQL over the lake: the page, its part with the answer, downloads, and the same for programs.

Touches: processes, clock.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from typing import Any, Literal, TypeVar

import pyarrow as pa
from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

from crawler.errors import PacslakeError
from crawler.serve.web.api import ANSWERS, PREFIX
from crawler.serve.web.audited import AuditedSandbox
from crawler.serve.web.parts import Answering, Form
from crawler.serve.web.rendering import page

pages = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
router = APIRouter(prefix=PREFIX)

EXAMPLE = "SELECT Modality, count(*) AS series FROM series GROUP BY ALL ORDER BY series DESC"
SHOWN = 500
"""Rows of an answer on a page; a download has all."""
CHARTED = 200
OUT_OF_RANGE = "out of range"
"""Shown for days and moments that only DuckDB knows; a download has them."""
LOOK_EVERY = 0.5
"""Seconds between looks whether whoever asked is still there."""

MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
Format = Literal["csv", "json", "jsonl", "parquet"]

T = TypeVar("T")


class Question(BaseModel):
    """One SELECT over the tables of the dictionary."""

    sql: str = Field(max_length=100_000, examples=["SELECT count(*) FROM studies"])
    parameters: list[str | int | float | bool | None] = Field([], max_length=1000, description="For each ? in it")
    max_rows: int = Field(10_000, ge=1, le=100_000)


class Download(BaseModel):
    """One SELECT, and the format of the file."""

    sql: str = Field(max_length=100_000)
    format: Format = "csv"


class Typed(BaseModel):
    """One column of an answer."""

    name: str
    type: str = Field(description="In Arrow's words")


class Answered(BaseModel):
    """What came of a question."""

    columns: list[Typed]
    rows: list[list[Any]]
    truncated: bool = Field(description="There are more rows than were wanted")
    seconds: float
    version: int = Field(description="Of the lake")


@pages.get("/sql")
def ask_page(request: Request) -> Response:
    """Show where to type, and what was asked before."""
    return page(request, "sql.html", asked=EXAMPLE, answered=False, formats=list(MEDIA_TYPES))


@pages.post("/sql")
async def answer_part(request: Request, sandbox: Answering, form: Form) -> Response:
    """Answer what was typed, inside its page or with the page around it; what is wrong is told there too."""
    asked = form.get("sql", "")
    try:
        answer = await unless_gone(request, sandbox.ask(asked, max_rows=SHOWN))
    except PacslakeError as error:
        found: dict[str, Any] = {"wrong": str(error)}
    else:
        names, rows = answer.table.column_names, _rows(answer.table)
        found = {"wrong": None, "names": names, "rows": rows, "answer": answer, "chart": _chart(answer.table)}
    if request.headers.get("HX-Request"):
        return page(request, "sql_part.html", **found)
    return page(request, "sql.html", asked=asked, answered=True, formats=list(MEDIA_TYPES), **found)


@pages.post("/sql/download")
async def download(sandbox: Answering, form: Form) -> Response:
    """Give the whole answer as a file."""
    wanted = Download.model_validate({"sql": form.get("sql", ""), "format": form.get("format", "csv")})
    return await _file(sandbox, wanted)


@router.post("/sql", responses=ANSWERS)
async def answer(request: Request, asked: Question, sandbox: Answering) -> Answered:
    """Answer one SELECT. Whose role is viewer sees no column that identifies a patient."""
    found = await unless_gone(
        request,
        sandbox.ask(asked.sql, parameters=asked.parameters, max_rows=asked.max_rows),
    )
    columns = [Typed(name=field.name, type=str(field.type)) for field in found.table.schema]
    rows = await asyncio.to_thread(_rows, found.table)
    told = {"truncated": found.truncated, "seconds": round(found.seconds, 3), "version": found.version}
    return Answered.model_validate({"columns": columns, "rows": rows, **told})


@router.post("/sql/export", responses=ANSWERS | {200: {"content": {kind: {} for kind in MEDIA_TYPES.values()}}})
async def export(asked: Download, sandbox: Answering) -> Response:
    """Give the whole answer of one SELECT as a file."""
    return await _file(sandbox, asked)


async def unless_gone(request: Request, asked: Awaitable[T]) -> T:
    """Wait for an answer, and stop asking when nobody waits for it any more."""
    task = asyncio.ensure_future(asked)
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=LOOK_EVERY)
            if not task.done() and await request.is_disconnected():
                break
    finally:
        if not task.done():
            task.cancel()
    return await task


async def _file(sandbox: AuditedSandbox, wanted: Download) -> Response:
    pieces = sandbox.export(wanted.sql, wanted.format)
    first = await anext(pieces, b"")  # errors come before it, while they can still be told

    async def everything() -> AsyncIterator[bytes]:
        async with contextlib.aclosing(pieces):
            yield first
            async for piece in pieces:
                yield piece

    headers = {"Content-Disposition": f'attachment; filename="answer.{wanted.format}"'}
    return StreamingResponse(everything(), media_type=MEDIA_TYPES[wanted.format], headers=headers)


def _rows(table: pa.Table) -> list[list[Any]]:
    """Give rows as what JSON can hold; bytes in hexadecimal digits."""
    columns = [[_plain(value) for value in _values(column)] for column in table.columns]
    return [list(row) for row in zip(*columns, strict=True)]


def _values(column: pa.ChunkedArray) -> list[Any]:
    """Give Python's values; DuckDB knows days that Python does not, infinite ones too."""
    try:
        return list(column.to_pylist())
    except (OverflowError, ValueError):
        return [_value(scalar) for scalar in column]


def _value(scalar: pa.Scalar) -> Any:
    try:
        return scalar.as_py()
    except (OverflowError, ValueError):
        return OUT_OF_RANGE


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else str(value)  # JSON has neither
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return str(value)


def _chart(table: pa.Table) -> dict[str, Any] | None:
    """Give bars where the first column names things and others count them; None where nothing can be drawn."""
    numbers = [
        field.name
        for field in list(table.schema)[1:]
        if pa.types.is_integer(field.type) or pa.types.is_floating(field.type) or pa.types.is_decimal(field.type)
    ]
    if not numbers or not 2 <= table.num_rows <= CHARTED:
        return None
    labels = [str(value) for value in _values(table.column(0))]
    series = [
        {"name": name, "values": [None if value is None else float(value) for value in table[name].to_pylist()]}
        for name in numbers[:5]
    ]
    return {"labels": labels, "series": series}
