"""docs/analysts.md: its commands answer as it says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

import crawler
from tests.acceptance.installed import ENVIRONMENT

PAGE = (Path(__file__).parents[2] / "docs" / "analysts.md").read_text()
CONSOLE = re.findall(r"```console\n\$ (.*?)\n(.*?)```", PAGE, re.DOTALL)


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
