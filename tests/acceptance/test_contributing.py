"""CONTRIBUTING.md: the first change that it walks through goes as it says, in a copy of this repository."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.acceptance.installed import ENVIRONMENT

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
COPIED = ("crawler", "tests/unit/pacs", "tests/conftest.py", "pyproject.toml")
TEST = "tests/unit/pacs/test_find_status.py"


def passes(copy: Path) -> bool:
    """Run the command of the page in the copy; 0 is that all passed, 1 that a test did not."""
    assert f".venv/bin/python -m pytest {TEST}" in PAGE
    done = subprocess.run([sys.executable, "-m", "pytest", TEST], cwd=copy, env=ENVIRONMENT, timeout=120)
    assert done.returncode in (0, 1)
    return done.returncode == 0


def test_the_first_change_goes_as_the_page_says(tmp_path: Path) -> None:
    for name in COPIED:
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, target)
    test, change = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    with (tmp_path / TEST).open("a") as file:
        file.write(f"\n\n{test}")
    assert not passes(tmp_path)
    code = tmp_path / "crawler" / "pacs" / "status.py"
    code.write_text(code.read_text().replace("_TEXTS = {\n", f"_TEXTS = {{\n{change}"))
    assert passes(tmp_path)
