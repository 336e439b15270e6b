"""What several integration tests share and only read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crawler.serve.sql.client import Limits
from tests.integration.retrieving import RealPacs, running
from tests.integration.sandboxes import Asker, planted_lake


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a lake with planted patients."""
    path = tmp_path_factory.mktemp("planted") / "lake"
    planted_lake(path)
    return path


@pytest.fixture(scope="module")
def asker(planted: Path) -> Iterator[Asker]:
    """Give a sandbox over it with little memory."""
    with Asker(planted, Limits(memory=200_000_000)) as asker:
        yield asker


@pytest.fixture(scope="module", params=["Orthanc", "dcmqrscp"])
def pacs(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    orthanc_binary: Path,
    dcmtk_tool: Callable[[str], Path],
) -> Iterator[RealPacs]:
    """Run one real PACS after the other."""
    program = orthanc_binary if request.param == "Orthanc" else dcmtk_tool(request.param)
    with running(program, dcmtk_tool, tmp_path_factory.mktemp("pacs")) as server:
        yield server
