"""Associations with Orthanc and dcmqrscp."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crawler.errors import RefusedError
from crawler.model import Level, Model
from crawler.pacs.association import connect
from crawler.pacs.identifier import Query
from tests.integration.calls import EVERYTHING, peer, rows_of
from tests.integration.files import ROOT, made_files
from tests.integration.real_pacs import dcmqrscp, orthanc

EXPECTED = [18, 2, 3]
"""Studies, series of the first study, and instances of its first series, in the made files."""


@pytest.fixture(scope="module")
def orthanc_port(orthanc_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder, files = tmp_path_factory.mktemp("orthanc"), made_files(tmp_path_factory.mktemp("files"))
    with orthanc(orthanc_binary, folder, files) as port:
        yield port


@pytest.fixture(scope="module")
def dcmqrscp_port(dcmtk_tool: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder, files = tmp_path_factory.mktemp("dcmqrscp"), made_files(tmp_path_factory.mktemp("files"))
    with dcmqrscp(dcmtk_tool("dcmqrscp"), dcmtk_tool("dcmqridx"), folder, files) as port:
        yield port


async def crawl(port: int, called: str) -> list[int]:
    """Count what a real PACS answers at STUDY, SERIES and IMAGE level."""
    counts = []
    study = {"StudyInstanceUID": f"{ROOT}.1.1"}
    series = {**study, "SeriesInstanceUID": f"{ROOT}.1.1.1"}
    async with connect(peer(port, called), [Model.STUDY_ROOT]) as assoc:
        assert await assoc.echo() == 0
        for query in (
            EVERYTHING,
            Query.below(Model.STUDY_ROOT, Level.SERIES, study),
            Query.below(Model.STUDY_ROOT, Level.IMAGE, series),
        ):
            rows, status = await rows_of(assoc, query)
            assert status == 0
            assert all(ROOT.encode() in row for row in rows)
            counts.append(len(rows))
    return counts


def test_orthanc_answers_at_every_level(orthanc_port: int) -> None:
    assert asyncio.run(crawl(orthanc_port, "ORTHANC")) == EXPECTED


def test_dcmqrscp_answers_at_every_level(dcmqrscp_port: int) -> None:
    assert asyncio.run(crawl(dcmqrscp_port, "DCMQRSCP")) == EXPECTED


def test_dcmqrscp_rejects_another_ae_title(dcmqrscp_port: int) -> None:
    with pytest.raises(RefusedError, match=r"is not called WRONG: set pacs\.test\.ae_title"):
        asyncio.run(crawl(dcmqrscp_port, "WRONG"))
