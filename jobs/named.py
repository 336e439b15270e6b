"""What a person names to be brought: patients, studies, series or images, by their unique keys. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from crawler.errors import UserError
from crawler.model import HIERARCHY, Level
from crawler.retrieve.layout import is_uid

OPTIONS = {Level.PATIENT: "--patient", Level.STUDY: "--study", Level.SERIES: "--series", Level.IMAGE: "--image"}


@dataclass(frozen=True)
class Named:
    """Values of unique keys by level. The deepest level names what is wanted, those above where that lies."""

    keys: Mapping[Level, tuple[str, ...]]

    def __post_init__(self) -> None:
        if not self.keys:
            raise UserError(f"say what to bring: {', '.join(OPTIONS.values())}")
        for level, values in self.keys.items():
            if level is not self.level and len(values) > 1:
                raise UserError(f"{OPTIONS[level]} may stand once beside {OPTIONS[self.level]}")
            if level is Level.PATIENT and any(set(value) & set("*?\\") or not value.strip() for value in values):
                raise UserError("--patient takes a PatientID as it is, without * and ?")
            if wrong := [value for value in values if level is not Level.PATIENT and not is_uid(value)]:
                raise UserError(f"{wrong[0]!r} after {OPTIONS[level]} is no UID")

    @staticmethod
    def of(typed: Mapping[str, tuple[str, ...]]) -> Named:
        """Take what was typed, by the names of levels. Raises UserError."""
        return Named({level: tuple(typed[level.value]) for level in HIERARCHY if typed[level.value]})

    @property
    def level(self) -> Level:
        """The level of what is wanted."""
        return next(level for level in reversed(HIERARCHY) if level in self.keys)

    @property
    def wanted(self) -> tuple[str, ...]:
        """What is wanted."""
        return self.keys[self.level]

    @property
    def above(self) -> dict[str, str]:
        """Where it lies, as far as that is said: values by keyword."""
        return {level.unique_key: values[0] for level, values in self.keys.items() if level is not self.level}
