"""What several tests of the installed command share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.installed import pacslake


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder that `pacslake demo` made, for reading alone."""
    folder = tmp_path_factory.mktemp("demo")
    assert pacslake(folder, "demo", "--studies", "500").returncode == 0
    return folder / "pacslake-demo"
