"""docs/notebooks: the cells of each run in one process and print what the page shows.

To write what they print and their pictures anew after an intended change, set PACSLAKE_WRITE_GOLDEN=1 and read the
difference.
"""

from __future__ import annotations

import ast
import contextlib
import io
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.installed import ENVIRONMENT

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted((DOCS / "notebooks").glob("*.md"))
READING = ("coverage", "volumes", "scanners", "drift")
CELL = re.compile(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", re.DOTALL)
WRITE = bool(os.environ.get("PACSLAKE_WRITE_GOLDEN"))
ALL = os.environ.get("PACSLAKE_NOTEBOOKS") == "all"


def run(page: Path) -> None:
    """Run all cells of a page, here; compare what each prints with what stands below it."""
    names: dict[str, Any] = {"__name__": "__main__"}
    try:
        written = CELL.sub(lambda cell: shown(cell[1], printed(cell[1], names)), page.read_text())
    finally:
        for begun in names.values():
            if isinstance(begun, subprocess.Popen) and begun.poll() is None:
                begun.kill()
                begun.communicate()
    if WRITE:
        page.write_text(written)
    assert page.read_text() == written
    for picture in re.findall(r"\]\(\.\./pictures/(.*?)\)", written):
        assert Path(picture).stat().st_size > 5000
        if WRITE:
            shutil.copy(picture, DOCS / "pictures" / picture)
        assert (DOCS / "pictures" / picture).exists()


def printed(cell: str, names: dict[str, Any]) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(cell, "cell", "exec"), names)
    return re.sub(r" +$", "", printed.getvalue(), flags=re.MULTILINE).rstrip("\n")


def shown(cell: str, output: str) -> str:
    return f"```python\n{cell}```\n" + (f"\n```text\n{output}\n```\n" if output else "")


@pytest.fixture
def here(demo: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in the demo's folder, with the installed command and without a screen."""
    monkeypatch.chdir(demo)
    monkeypatch.setenv("PATH", ENVIRONMENT["PATH"])
    monkeypatch.setenv("MPLBACKEND", "agg")
    return demo


@pytest.mark.parametrize("name", READING)
def test_a_notebook_gives_what_it_shows(here: Path, name: str) -> None:
    run(DOCS / "notebooks" / f"{name}.md")


def test_a_cohort_and_its_training_set_are_as_shown(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two that write, one after the other, in a copy. The second fetches images: `make soak` runs it."""
    shutil.copytree(here, tmp_path / "demo")
    monkeypatch.chdir(tmp_path / "demo")
    run(DOCS / "notebooks" / "cohort.md")
    if ALL:
        run(DOCS / "notebooks" / "training.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_cell_is_python(page: Path) -> None:
    cells = CELL.findall(page.read_text())
    assert len(cells) > 3
    for cell, _ in cells:
        ast.parse(cell, feature_version=(3, 11))


def test_a_cell_that_prints_something_else_is_found(here: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.md"
    wrong.write_text("```python\nprint(2)\n```\n\n```text\n3\n```\n")
    if not WRITE:
        with pytest.raises(AssertionError):
            run(wrong)
