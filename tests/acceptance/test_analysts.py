"""docs/analysts.md: its commands answer as it says, and each engine reads the current rows as it says."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import crawler
from crawler.lake.writer import LakeWriter
from crawler.model import Level
from tests.acceptance.installed import ENVIRONMENT, pacslake
from tests.property.lake.answers import answers, covered, sweep

PAGE = (Path(__file__).parents[2] / "docs" / "analysts.md").read_text()
CONSOLE = re.findall(r"```console\n\$ (.*?)\n(.*?)```", PAGE, re.DOTALL)
PYTHON = {
    re.findall(r"import (duckdb|polars|daft)|to_(pandas|pyarrow)", block)[0]: block
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
}
ENGINES = {"".join(found): block for found, block in PYTHON.items()}
LEAVE = "\nimport os, sys; sys.stdout.flush(); os._exit(0)"
"""Threads of Daft now and then crash an interpreter that is being shut down, long after the answer was printed."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("analysts")
    assert pacslake(folder, "demo", "--studies", "500").returncode == 0
    return folder / "pacslake-demo"


@pytest.mark.parametrize(("command", "answer"), CONSOLE, ids=lambda text: text[:40])
def test_a_command_of_the_page_answers_as_it_says(demo: Path, command: str, answer: str) -> None:
    done = subprocess.run(command, shell=True, cwd=demo, env=ENVIRONMENT, capture_output=True, timeout=60)
    assert (done.stdout.decode(), done.stderr) == (answer, b"")


def test_the_crosswalk_of_the_page_joins(demo: Path) -> None:
    [statement] = re.findall(r"```sql\n(.*?);\n```", PAGE, re.DOTALL)
    with crawler.open_lake(demo / "lake") as lake:
        for kind in ("person", "procedure"):
            made = f"select pacs, {kind}_source_value, row_number() over () as {kind}"
            lake.connection.execute(
                f"create table {kind}_crosswalk as {made}{'_id' if kind == 'person' else '_occurrence_id'}"
                f" from (select distinct pacs, {kind}_source_value from omop_imaging_staging)"
            )
        [(rows,)] = lake.sql(f"select count(person_id) from ({statement})").fetchall()
        assert [(rows,)] == lake.sql("select count(person_source_value) from omop_imaging_staging").fetchall()
        assert rows > 1000


def studies(*counts: int) -> Any:
    return answers(
        Level.STUDY,
        [{"StudyInstanceUID": f"1.{at}", "NumberOfStudyRelatedSeries": one} for at, one in enumerate(counts)],
    )


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a lake of three studies, 4 + 2 + 3 series, of which two were others before."""
    folder = tmp_path_factory.mktemp("changed")
    with LakeWriter.open(folder / "lake") as writer:
        writer.stage(Level.STUDY, "main", "s1", studies(1, 2))
        writer.stage(Level.IMAGE, "main", "s1", answers(Level.IMAGE, [{"SOPInstanceUID": "1.3", "Rows": 512}]))
        writer.commit([covered(2)], [sweep()])
        writer.stage(Level.STUDY, "main", "s2", studies(7, 2, 3))
        writer.commit()
        writer.stage(Level.STUDY, "main", "s3", studies(4))
        writer.commit()
    return folder


def test_the_page_has_an_example_for_each_engine() -> None:
    assert set(ENGINES) == {"duckdb", "polars", "pandas", "pyarrow", "daft"}


@pytest.mark.parametrize("engine", ["duckdb", "polars", "pandas", "pyarrow"])
def test_an_engine_reads_the_current_rows(changed: Path, engine: str) -> None:
    assert printed_by(Path(sys.executable), ENGINES[engine], changed) == "3 9\n"


def test_daft_reads_the_current_rows(changed: Path, daft_python: Callable[[], Path]) -> None:
    assert printed_by(daft_python(), ENGINES["daft"] + LEAVE, changed) == "3 9\n"


def printed_by(python: Path, block: str, folder: Path) -> str:
    command = [str(python), "-W", "error", "-c", block]
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout
