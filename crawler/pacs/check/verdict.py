"""What one check of a PACS came to. No text holds a value that the PACS sent. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from crawler.model import Level


class Grade(StrEnum):
    """How good it is; only a problem asks a person to do something."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Learned:
    """A finding about the PACS, still without its name and the time; `crawler/pacs/profile.py` knows the names."""

    name: str
    value: str
    level: Level | None = Level.STUDY


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line of the report: what was looked at, how good it is, what it means."""

    check: str
    grade: Grade
    text: str
    remedy: str = ""
    """What the administrator of the PACS must enter, or the setting to change here."""
    learned: tuple[Learned, ...] = ()


def ok(check: str, text: str, *learned: Learned) -> Verdict:
    """Say that all is well."""
    return Verdict(check, Grade.OK, text, learned=learned)


def note(check: str, text: str, *learned: Learned, remedy: str = "") -> Verdict:
    """Say what is good to know."""
    return Verdict(check, Grade.NOTE, text, remedy, learned)


def problem(check: str, text: str, remedy: str, *learned: Learned) -> Verdict:
    """Say what a person must change."""
    return Verdict(check, Grade.PROBLEM, text, remedy, learned)
