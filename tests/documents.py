"""The documents' blocks of code, piece by piece: a command, a statement, or a block of Python or TOML.

`tests/acceptance/test_documents_run.py` runs each of them but those that the tables here name: ELSEWHERE what another
test runs, NOT_HERE what no test can run, with the reason. `tests/house/test_blocks.py` holds the tables to the
documents.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
WRITTEN = ROOT / "docs" / "generated"
"""Pages that are made of the program and of other pages, when somebody makes the site."""
DOCUMENTS = sorted(
    {*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")} - {*WRITTEN.glob("*")}
)
SHELL = ("sh", "console")
RUN = (*SHELL, "sql", "python", "toml")
SHOWN = ("text", "json", "{toctree}")
"""Of blocks that nobody types: what something looks like, a file of another program, a table of contents."""


class Row(NamedTuple):
    """One row of a table: all pieces of a document that begin so, and what is to be said of them."""

    document: str
    begins: str
    said: str

    def names(self, piece: Piece) -> bool:
        """Say whether a piece is one of them."""
        return self.document in ("", piece.document) and piece.text.startswith(self.begins)


class Piece(NamedTuple):
    """What a person types at once, and what the document shows as its answer, which may be nothing."""

    document: str
    block: int
    """The number of its block in the document."""
    language: str
    text: str
    shown: str = ""

    @property
    def rows(self) -> list[Row]:
        """Rows of the tables that name it; without any it is run."""
        return [row for row in (*ELSEWHERE, *NOT_HERE) if row.names(self)]


ELSEWHERE = (
    Row("CONTRIBUTING.md", "def test_an_archive_that_sleeps", "tests/acceptance/test_contributing.py"),
    Row("CONTRIBUTING.md", '    0xC123: "archive asleep"', "tests/acceptance/test_contributing.py"),
    Row("CONTRIBUTING.md", ".venv/bin/python -m pytest tests/unit/pacs/", "tests/acceptance/test_contributing.py"),
    Row("README.md", 'lake = crawler.open_lake("lake")  # its PACS', "tests/acceptance/test_image_fetched.py"),
    Row("docs/analysts.md", "select person_id", "tests/acceptance/test_analysts.py"),
    Row("docs/dicomweb.md", "curl", "tests/acceptance/test_dicomweb_lake.py"),
    Row("docs/engines.md", "create or replace view", "tests/acceptance/test_engines.py"),
    Row("docs/engines.md", "select r.Modality", "tests/acceptance/test_engines.py"),
    *(
        Row("docs/engines.md", begins, "tests/acceptance/test_engines.py")
        for begins in (
            "import duckdb",
            "import polars",
            "import daft",
            "from deltalake import DeltaTable\n\nlog",
            "import pyarrow",
        )
    ),
    *(
        Row(f"docs/notebooks/{name}.md", "", "tests/acceptance/test_notebooks.py")
        for name in ("cohort", "coverage", "drift", "scanners", "training", "volumes")
    ),
    Row("docs/receipts.md", "tail", "tests/acceptance/test_cohort_receipt.py"),
    Row("docs/simulator.md", "pacslake simulate", "tests/acceptance/test_simulator_page.py"),
    Row("docs/simulator.md", "findscu", "tests/acceptance/test_simulator_page.py"),
)
"""The test's path in place of the reason."""

_HUB = "takes packages from the internet; tests/install makes the wheelhouse and the image without it"
_SELF = "is the run of all tests itself, or what that does before it begins"
NOT_HERE = (
    Row("", "make ", _SELF),
    Row("CONTRIBUTING.md", "git ", "clones and commits where the reader wants it"),
    Row("CONTRIBUTING.md", ".venv/bin/python -m pytest tests/house", _SELF),
    Row("CONTRIBUTING.md", ".venv/bin/python -m pytest tests/unit/pacs  ", _SELF),
    Row("", "pip install", _HUB),
    Row("", "pipx install", _HUB),
    Row("", "docker ", "takes a container engine; tests/install builds and runs the image without one"),
    Row("docs/for-research-it.md", "/opt/pacslake/bin/pip", _HUB),
    Row("docs/for-research-it.md", "python3 -m venv /opt", _HUB),
    Row("docs/for-research-it.md", "printf", "takes a container engine"),
    Row(
        "README.md",
        "duckdb ",
        "takes DuckDB's own command line; tests/acceptance/test_engines.py opens the file by DuckDB",
    ),
    Row("docs/engines.md", "from delta import", "takes Spark, and a jar from Maven Central"),
    Row("docs/engines.md", "from deltalake import DeltaTable\nfrom pyspark", "takes Spark"),
    Row("docs/engines.md", "call lake.system", "takes Trino"),
    Row("docs/engines.md", "create table pacs", "takes Databricks"),
    Row("docs/engines.md", "create iceberg", "takes Snowflake"),
    Row(
        "docs/several-machines.md",
        "pacslake ",
        "takes PostgreSQL; tests/acceptance/test_several_services.py types the same at its own",
    ),
    Row("docs/scale.md", "python -m benchmarks", "takes hours"),
    Row("examples/dbt/README.md", "dbt ", "takes dbt; tests/acceptance/test_dbt_example.py runs the models in DuckDB"),
)


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """Give the language and the text of each block."""
    found = re.finditer(r"^( *)```(.*)\n((?:.*\n)*?)\1```$", text, re.MULTILINE)
    return ((one[2], re.sub(f"^{one[1]}", "", one[3], flags=re.MULTILINE)) for one in found)


def pieces(path: Path, root: Path = ROOT) -> Iterator[Piece]:
    """Give what a document has people type, in its order."""
    for number, (language, text) in enumerate(blocks(path.read_text())):
        whole = Piece(path.relative_to(root).as_posix(), number, language, text)
        if language == "sh":
            yield from (whole._replace(text=command) for command in _typed(text))
        elif language == "console":
            for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE):
                yield whole._replace(text=command, shown=shown)
        elif language == "sql":
            statements = re.sub(r"^--.*\n", "", text, flags=re.MULTILINE).split(";")
            yield from (whole._replace(text=one.strip()) for one in statements if one.strip())
        elif language in RUN:
            yield whole


def _typed(text: str) -> Iterator[str]:
    """Give each command of a block, which may go over several lines."""
    command = ""
    for line in text.splitlines(keepends=True):
        command += line
        try:
            words = shlex.split(command, comments=True)
        except ValueError:  # a quotation, or a line, goes on
            continue
        if not command.endswith("\\\n"):
            if words:
                yield command.strip()
            command = ""


EVERYTHING = [piece for path in DOCUMENTS for piece in pieces(path)]
