"""DICOMweb over the lake, /dicom-web: searches of QIDO-RS, and metadata as far as the lake knows it. No images.

Touches: disk, processes.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, HTTPException
from starlette.requests import Request
from starlette.responses import Response

from crawler.model import Level
from crawler.serve.access import Role
from crawler.serve.dicom_json import dataset
from crawler.serve.searching import LEVELS, MORE, MOST_INSTANCES, Search, known, metadata_of, read_search, statement
from crawler.serve.sql.client import Answer
from crawler.serve.web.parts import Answering, Looking
from crawler.serve.web.sql import unless_gone

PREFIX = "/dicom-web"
MEDIA_TYPE = "application/dicom+json"
_ACCEPTED = (MEDIA_TYPE, "application/json", "application/*", "*/*")
_RESOURCES = ("studies", "series", "instances")


def _may(person: Looking, request: Request) -> None:
    """Let in who may see patients, and wants what there is."""
    if not person.is_analyst:
        raise HTTPException(403, f"this wants the role {Role.ANALYST.name.lower()}")
    wanted = [one.partition(";")[0].strip() for one in request.headers.get("accept", "*/*").split(",")]
    if not any(one in _ACCEPTED for one in wanted):
        raise HTTPException(406, f"there is {MEDIA_TYPE} alone")


router = APIRouter(prefix=PREFIX, include_in_schema=False, dependencies=[Depends(_may)])


@router.get("/studies")
async def studies(request: Request, sandbox: Answering) -> Response:
    """Search for studies."""
    return await _found(request, sandbox, Level.STUDY)


@router.get("/series")
@router.get("/studies/{study}/series")
async def series(request: Request, sandbox: Answering, study: str | None = None) -> Response:
    """Search for series, of one study or of all."""
    return await _found(request, sandbox, Level.SERIES, *filter(None, [study]))


@router.get("/instances")
@router.get("/studies/{study}/instances")
@router.get("/studies/{study}/series/{one}/instances")
async def instances(request: Request, sandbox: Answering, study: str | None = None, one: str | None = None) -> Response:
    """Search for instances, of one series, of one study or of all."""
    return await _found(request, sandbox, Level.IMAGE, *filter(None, [study, one]))


@router.get("/studies/{study}/metadata")
@router.get("/studies/{study}/series/{one}/metadata")
@router.get("/studies/{study}/series/{one}/instances/{instance}/metadata")
async def metadata(
    request: Request, sandbox: Answering, study: str, one: str | None = None, instance: str | None = None
) -> Response:
    """Give what the lake knows of each instance."""
    search = metadata_of(list(filter(None, [study, one, instance])))
    answer = await _ask(request, sandbox, search)
    if answer.table.num_rows == 0:
        raise HTTPException(404, "the lake knows no such instances; sweep with --level image for those of a study")
    if answer.table.num_rows > MOST_INSTANCES:
        raise HTTPException(413, f"there are more than {MOST_INSTANCES} instances; ask series by series")
    return await _told(request, search, answer)


async def _found(request: Request, sandbox: Answering, level: Level, *above: str) -> Response:
    search = read_search(level, above, request.query_params.multi_items())
    return await _told(request, search, await _ask(request, sandbox, search))


async def _ask(request: Request, sandbox: Answering, search: Search) -> Answer:
    asked = statement(search)
    return await unless_gone(request, sandbox.ask(asked.sql, parameters=asked.parameters, max_rows=search.limit + 1))


async def _told(request: Request, search: Search, answer: Answer) -> Response:
    service = f"{str(request.base_url).rstrip('/')}{PREFIX}"
    body = await asyncio.to_thread(_body, search, answer, service)
    warnings = [*search.warnings, *[MORE] * (answer.table.num_rows > search.limit)]
    response = Response(body, media_type=MEDIA_TYPE)
    for warning in warnings:
        response.headers.append("Warning", f'299 {service}: "{warning}"')
    return response


def _body(search: Search, answer: Answer, service: str) -> bytes:
    attributes = [key for name, (_, key) in known(search.level).items() if name in search.returned]
    rows = answer.table.slice(0, search.limit).to_pylist()
    return json.dumps([dataset(row, attributes, service + _path(search.level, row)) for row in rows]).encode()


def _path(level: Level, row: dict[str, Any]) -> str:
    """Give where a result is to be found below the service."""
    parts: Sequence[Level] = LEVELS[: LEVELS.index(level) + 1]
    return "".join(
        f"/{name}/{quote(str(row[one.unique_key]), safe='')}" for name, one in zip(_RESOURCES, parts, strict=False)
    )
