"""What defines a cohort: SQL with parameters, or a list, and how to read what they name. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from crawler.errors import UserError

KEYS = ("pacs", "PatientID", "AccessionNumber", "StudyInstanceUID", "SeriesInstanceUID")
"""By what studies and series are named, in lists and in answers to SQL."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_PARAMETER = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Listed:
    """The lines of a list: of each the values in these columns, '' where it gives none."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @staticmethod
    def of(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Listed:
        """Put a list in order, so that the order of its lines and its repetitions make no difference."""
        return Listed(tuple(columns), tuple(sorted({tuple(row) for row in rows})))


@dataclass(frozen=True, slots=True)
class Definition:
    """All that decides what is in a cohort but the lake."""

    sql: str | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    listed: Listed | None = None
    pacs: str | None = None
    """Take what this PACS has alone."""
    take_ambiguous: bool = False

    @property
    def kind(self) -> str:
        """Say what it is made of: sql or list."""
        return "list" if self.listed else "sql"

    def as_text(self) -> str:
        """Write it as JSON; the same definition always gives the same text."""
        told = (
            {"columns": self.listed.columns, "list": self.listed.rows}
            if self.listed
            else {"sql": self.sql, "parameters": self.parameters}
        )
        rules = {"pacs": self.pacs, "take_ambiguous": self.take_ambiguous}
        return json.dumps({**told, **rules}, ensure_ascii=False, sort_keys=True)

    @staticmethod
    def of(text: str) -> Definition:
        """Read what `as_text` wrote."""
        told = json.loads(text)
        listed = Listed.of(told["columns"], told["list"]) if "list" in told else None
        rules = (told["pacs"], told["take_ambiguous"])
        return Definition(told.get("sql"), told.get("parameters", {}), listed, *rules)


def checked_name(name: str) -> str:
    """Give the name of a cohort. UserError where it is none."""
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{name!r} is no name for a cohort: up to 64 letters, digits, _ . and -, a letter or digit first"
        )
    return name


def parameters_of(given: Iterable[str]) -> dict[str, str]:
    """Read name=value pairs. UserError, without the value, where one is none or a name comes twice."""
    found: dict[str, str] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not _PARAMETER.fullmatch(name):
            raise UserError("--param must be NAME=VALUE, as --param since=2024-01-01; the SQL then says $since")
        if name in found:
            raise UserError(f"--param {name} is given twice")
        found[name] = value
    return found
