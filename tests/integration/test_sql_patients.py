"""Who may see no patient finds none, whatever is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.errors import UserError
from crawler.lake.dictionary import dictionary
from crawler.lake.query import open_lake
from tests.integration.sandboxes import SECRETS, Asker


def test_without_patients_no_table_has_a_column_that_identifies_anybody(asker: Asker, planted: Path) -> None:
    with open_lake(planted) as opened:
        entries = dictionary(opened.added)
    marked = {(entry.table, entry.column) for entry in entries if entry.phi != "none"}
    tables = {entry.table for entry in entries}
    assert {name for (name,) in asker.rows("SHOW TABLES", phi=False)} == tables
    for table in tables:
        whole = {row[0] for row in asker.rows(f"DESCRIBE {table}")}
        less = {row[0] for row in asker.rows(f"DESCRIBE {table}", phi=False)}
        assert less == {column for column in whole if (table, column) not in marked}
        assert "raw" not in less
        assert "answer" not in less
    assert {"part", "faults"} <= set(asker.ask("FROM studies", phi=False).table.column_names)


def test_without_patients_no_value_of_theirs_is_in_anything_that_can_be_asked(asker: Asker) -> None:
    tables = [name for (name,) in asker.rows("SHOW TABLES")]
    found = 0
    for table in tables:
        assert asker.rows(f"SELECT count(*) FROM {table}", phi=False) == asker.rows(f"SELECT count(*) FROM {table}")
        found += any(secret in str(asker.ask(f"FROM {table}").table.to_pylist()) for secret in SECRETS)
        for question in (
            "FROM {}",
            "SUMMARIZE {}",
            "EXPLAIN FROM {}",
            "SELECT {0} FROM {0}",
            "SELECT max(COLUMNS(*)) FROM {}",
        ):
            said = str(asker.ask(question.format(table), phi=False).table.to_pylist())
            assert not [secret for secret in SECRETS if secret in said], question
        for kind in ("csv", "json"):
            exported = asker.export(f"FROM {table}", kind, phi=False)
            assert not [secret for secret in SECRETS if secret.encode() in exported]
    assert found >= 15  # so that there was something to find


def test_without_patients_their_columns_cannot_be_named(asker: Asker) -> None:
    for name in (
        "PatientName",
        "StudyDate",
        "whole.studies.PatientName",
        "studies.PatientID",
        "raw",
        "PatientComments",
    ):
        for statement in (f"SELECT {name} FROM studies", f"SELECT 1 FROM studies WHERE {name} IS NULL"):
            with pytest.raises(UserError) as raised:
                asker.ask(statement, phi=False)
            assert not [secret for secret in SECRETS if secret in str(raised.value)]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT CAST(PatientName AS INTEGER) FROM studies WHERE 1 = ?",
        "SELECT max(CAST(PatientName AS INTEGER)) FROM studies WHERE 1 = ?",
        "SELECT error(PatientName) FROM studies ORDER BY ? + 1",
        "SELECT ? LIMIT (SELECT CAST(max(PatientName) AS INTEGER) FROM studies)",
        "FROM range((SELECT CAST(max(PatientName) AS INTEGER) FROM studies)) WHERE 1 = ?",
        "SELECT PatientName::JSON FROM studies WHERE 1 = ?",
        "SELECT regexp_matches('a', '(' || PatientName) FROM studies WHERE 1 = ?",
        "SELECT date_trunc(PatientName, changed_at) FROM studies WHERE 1 = ?",
        "SELECT timezone(PatientName, changed_at) FROM studies WHERE 1 = ?",
        "SELECT format(PatientName || '{}{}') FROM studies WHERE 1 = ?",
        "SELECT StudyDate::VARCHAR::INTEGER FROM studies WHERE 1 = ?",
        "SUMMARIZE SELECT CAST(PatientName AS INTEGER) FROM studies WHERE 1 = ?",
    ],
)
def test_who_may_see_patients_finds_none_in_an_error(asker: Asker, statement: str) -> None:
    """Errors are logged and shown where answers are not."""
    with pytest.raises(UserError) as raised:
        asker.ask(statement, parameters=[1])
    assert not [secret for secret in SECRETS if secret in str(raised.value)]
    with pytest.raises(UserError) as raised:
        asker.export(statement.replace("?", "1"), "csv")
    assert not [secret for secret in SECRETS if secret in str(raised.value)]
