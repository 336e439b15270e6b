"""docs/analysts.md: the tables for OMOP join with those of a site."""

from __future__ import annotations

import re
from pathlib import Path

import crawler

PAGE = (Path(__file__).parents[2] / "docs" / "analysts.md").read_text()


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
