"""The data dictionary as people and programs meet it: the command, the page, comments of views, Parquet's metadata."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from crawler.lake.dictionary import dictionary
from crawler.lake.writer import LakeWriter
from crawler.model import Level
from tests.acceptance.installed import pacslake
from tests.property.lake.answers import answers

PAGE = Path(__file__).parents[2] / "docs" / "dictionary.md"


def test_the_page_is_what_the_command_writes(tmp_path: Path) -> None:
    assert pacslake(tmp_path, "dictionary", "--format", "markdown").stdout == PAGE.read_bytes()


def test_json_has_everything_of_every_column(tmp_path: Path) -> None:
    entries = json.loads(pacslake(tmp_path, "dictionary", "--format", "json").stdout)
    by_name = {(entry["table"], entry["column"]): entry for entry in entries}
    assert len(by_name) == len(entries)
    assert by_name["studies", "StudyTime"] == {
        "table": "studies",
        "column": "StudyTime",
        "type": "TIME",
        "tag": "00080030",
        "vr": "TM",
        "creator": "",
        "name": "Study Time",
        "level": "study",
        "meaning": "Time of day the study started, local to the site",
        "null": "not in the answer, empty, or malformed: see faults",
        "phi": "quasi",
        "example": "09:30:15",
    }
    for entry in entries:
        assert all(entry[key] for key in ("type", "meaning", "null", "phi", "example")), entry
        assert bool(entry["tag"]) == bool(entry["vr"]) == bool(entry["name"])


def test_text_is_narrowed_to_tables_and_an_unknown_one_is_named(tmp_path: Path) -> None:
    done = pacslake(tmp_path, "dictionary", "lake_version")
    assert done.stdout.decode() == (
        "lake_version\n"
        "column   type    tag  phi   meaning\n"
        "-------  ------  ---  ----  ---------------------------------------------------------------\n"
        "version  BIGINT       none  Version of the log that the tables show\n"
        "format   BIGINT       none  Format of the lake; a release refuses one that it does not know\n"
    )
    wrong = pacslake(tmp_path, "dictionary", "studeis")
    assert (wrong.returncode, wrong.stdout) == (2, b"")
    assert b"there is no table 'studeis'; did you mean 'studies'?" in wrong.stderr
    missing = pacslake(tmp_path, "dictionary", "--config", "none.toml")
    assert (missing.returncode, missing.stdout) == (2, b"")


def test_every_column_of_every_view_is_described_with_its_type(tmp_path: Path) -> None:
    LakeWriter.open(tmp_path).close()
    with duckdb.connect(tmp_path / "lake.duckdb", read_only=True) as connection:
        columns = connection.execute(
            "SELECT table_name, column_name, data_type, comment FROM duckdb_columns() WHERE NOT internal"
        ).fetchall()
    described = {(entry.table, entry.column): entry.type.replace('"', "") for entry in dictionary()}
    assert described == {(table, column): kind.replace('"', "") for table, column, kind, _ in columns}
    uncommented = {(table, column) for table, column, _, comment in columns if not comment}
    assert all(table.endswith("_history") for table, _ in uncommented)


def test_comments_and_parquet_fields_say_the_same(tmp_path: Path) -> None:
    with LakeWriter.open(tmp_path) as writer:
        writer.stage(Level.STUDY, "main", "s1", answers(Level.STUDY, [{"StudyInstanceUID": "1.2.3"}]))
        writer.commit()
    (file,) = (tmp_path / "log").glob("entity=study/*.parquet")
    fields = pq.read_schema(file)
    said = {key.decode(): value.decode() for key, value in fields.field("PatientBirthDate").metadata.items()}
    assert (said["tag"], said["vr"], said["phi"], said["description"]) == ("00100030", "DA", "direct", "Date of birth")
    with duckdb.connect(tmp_path / "lake.duckdb", read_only=True) as connection:
        [(comment,)] = connection.execute(
            "SELECT comment FROM duckdb_columns() WHERE table_name = 'studies' AND column_name = 'PatientBirthDate'"
        ).fetchall()
    assert comment == (
        "(00100030, DA) Date of birth. Null: not in the answer, empty, or malformed: see faults. PHI: direct."
    )
