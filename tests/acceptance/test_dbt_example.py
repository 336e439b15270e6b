"""examples/dbt: its models and tests hold over a lake. dbt is not here; its words are put in as it would."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import jinja2
import pytest
import yaml

from tests.acceptance.installed import pacslake

PROJECT = Path(__file__).parents[2] / "examples" / "dbt"
SOURCES = yaml.safe_load((PROJECT / "models" / "sources.yml").read_text())["sources"]
MODELS = {one["name"]: one for one in yaml.safe_load((PROJECT / "models" / "models.yml").read_text())["models"]}
CHECKS = sorted((PROJECT / "tests").glob("*.sql"))


def rendered(file: Path, coverage: Path) -> str:
    """Give the SQL of a file. A name that the project does not declare is an error."""
    known = {
        (source["name"], table["name"]): f"{source['database']}.{source['schema']}.{table['name']}"
        for source in SOURCES
        for table in source["tables"]
    }
    words = {
        "source": lambda source, table: known[source, table],
        "ref": lambda model: MODELS[model]["name"],
        "env_var": lambda name, default: {"PACSLAKE_COVERAGE": str(coverage)}[name],
        "config": lambda severity: "",
    }
    return jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(file.read_text()).render(words)


def build(connection: duckdb.DuckDBPyConnection, coverage: Path) -> None:
    """Make the tables of the models, those first that others read."""
    files = {file.stem: file for file in (PROJECT / "models").glob("*.sql")}
    assert set(files) == set(MODELS)
    for name in sorted(files, key=lambda name: "ref(" in files[name].read_text()):
        connection.execute(f"create or replace table {name} as {rendered(files[name], coverage)}")


@pytest.fixture(scope="module")
def coverage(demo: Path) -> str:
    return pacslake(demo, "coverage", "--format", "csv").stdout.decode()


@pytest.fixture(scope="module")
def built(demo: Path, coverage: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give DuckDB with the lake attached as the profile says, and the tables of the models."""
    [attached] = yaml.safe_load((PROJECT / "profiles.yml").read_text())["pacslake"]["outputs"]["lake"]["attach"]
    file = tmp_path_factory.mktemp("dbt") / "coverage.csv"
    file.write_text(coverage)
    with duckdb.connect() as connection:
        lake = jinja2.Template(attached["path"]).render(env_var=lambda name, default: demo / default)
        connection.execute(f"attach '{lake}' as {attached['alias']} (read_only)")
        build(connection, file)
        yield connection


@pytest.mark.parametrize("name", MODELS)
def test_a_model_has_the_columns_that_are_described(built: duckdb.DuckDBPyConnection, name: str) -> None:
    made = [column for column, *_ in built.execute(f"describe {name}").fetchall()]
    assert made == [column["name"] for column in MODELS[name]["columns"]]
    for column in MODELS[name]["columns"]:
        if "not_null" in str(column.get("data_tests")):
            assert built.execute(f"select count(*) from {name} where {column['name']} is null").fetchall() == [(0,)]


def found_by(connection: duckdb.DuckDBPyConnection, check: Path) -> list[tuple[object, ...]]:
    return connection.execute(rendered(check, Path("coverage.csv"))).fetchall()


def test_the_checks_find_nothing_in_a_whole_lake(built: duckdb.DuckDBPyConnection) -> None:
    assert [found_by(built, check) for check in CHECKS] == [[], []]


def test_series_that_are_not_counted_are_found(built: duckdb.DuckDBPyConnection) -> None:
    built.begin()
    built.execute("update volumes set series = series - 1 where modality = 'CT' and month = '2023-03-01'")
    assert found_by(built, PROJECT / "tests" / "every_series_is_counted.sql") == [("demo", 3014, 3015)]
    built.rollback()


def test_the_models_say_what_the_lake_has(built: duckdb.DuckDBPyConnection) -> None:
    [(series, studies)] = built.execute(
        "select (select sum(series)::int from volumes), (select sum(studies)::int from turnaround_by_kind)"
    ).fetchall()
    counted = built.execute("select (from (select count(*) from lake.main.series)), count(*) from lake.main.studies")
    assert counted.fetchall() == [(series, studies)]
    assert built.execute("select count(*) > 20, bool_and(proven) from volumes").fetchall() == [(True, True)]


def test_a_month_with_days_that_are_not_proven_is_not_proven(
    built: duckdb.DuckDBPyConnection, coverage: str, tmp_path: Path
) -> None:
    heading, whole, undated = coverage.splitlines()
    assert (whole, undated) == ("demo,false,,,,complete,,,", "demo,true,,,,complete,,,")
    ranges = [
        "demo,false,,2023-03-30,,complete,,,",
        "demo,false,2023-03-31,2023-04-01,2,capped,study,,pacslake sweep demo",
        "demo,false,2023-04-02,2024-06-29,,complete,,,",  # nobody asked for what is later
        "never,false,,,,never_asked,study,,pacslake sweep never",
    ]
    file = tmp_path / "coverage.csv"
    file.write_text("\n".join([heading, *ranges, undated, ""]))
    built.begin()
    build(built, file)
    doubted = built.execute("select distinct month::text from volumes where not proven order by month").fetchall()
    built.rollback()
    assert [month for (month,) in doubted] == ["2023-03-01", "2023-04-01", *(f"2024-{at:02}-01" for at in range(6, 13))]
