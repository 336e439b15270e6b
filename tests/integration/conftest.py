"""What several integration tests share and only read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.serve.sql.client import Limits
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
