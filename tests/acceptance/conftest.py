"""What several tests of the installed command share."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from tests.acceptance.installed import pacslake


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder that `pacslake demo` made, for reading alone; what it `said` lies beside it.

    Of several workers one makes it for all.
    """
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "demo"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "pacslake-demo").exists():
            done = pacslake(folder, "demo", "--studies", "500")
            assert done.returncode == 0, done.stderr
            (folder / "said").write_bytes(done.stdout)
    return folder / "pacslake-demo"
