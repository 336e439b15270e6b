"""A simulated PACS as people write it: what it holds and its quirks, in a TOML file or in words of a command line.

Whatever is wrong becomes one sentence that names the key and what it must be. Touches: disk (one file is read).
"""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any

from crawler.columns import CATALOGUE
from crawler.errors import UserError
from crawler.testing.archive import Archive
from crawler.testing.quirks import Quirks

NAMES = tuple(one.name for one in fields(Quirks))
"""The quirks."""

DEFAULTS: dict[str, Any] = {"studies": 4000, "first": date(2023, 1, 1), "last": date(2024, 12, 31)}
BUSY = 40_000
"""Studies of a busy day when nobody says how many."""
MOST_ON_A_DAY = 900_000
"""UIDs number the studies of a day, and those without one, with six digits."""

_MOST_PIXELS = 65_535
"""Rows and Columns are US."""

_SECTIONS = ("archive", "quirks", "destinations")
_UNCHANGED = Quirks()
_KEYWORDS = {attribute.keyword for attributes in CATALOGUE.values() for attribute in attributes}
_LEAST = {"fails_after": -1, "breaks_after": -1, "fails_one_in": 1, "max_associations": 1}
"""Least value of the numbers that may not be 0, or may be less."""
_SMALLEST_PDU = 16
_NEEDS = {
    "over_cap": ("cap",),
    "failure": ("fails_after", "breaks_after"),
    "fails_one_in": ("fails_after",),
    "offline": ("offline_every",),
    "offline_for": ("offline_every",),
}
"""Quirks that say how another one shows."""


class _WrongValueError(ValueError):
    """A value is not what its key takes; the message says what that is."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What a profile file says: arguments for `Archive` and for `Quirks`, and where C-MOVE may send to."""

    archive: dict[str, Any] = field(default_factory=dict)
    quirks: dict[str, Any] = field(default_factory=dict)
    destinations: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Host and port by AE title."""


def load_profile(path: Path) -> Profile:
    """Read a profile: `[archive]`, `[quirks]` and `[destinations]`, any may be missing. Raises UserError."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:  # not TOML, or not UTF-8
        raise UserError(f"{path}: is not TOML: {error}") from None
    for name, table in content.items():
        if name not in _SECTIONS or not isinstance(table, dict):
            known = "a profile has the sections [archive], [quirks] and [destinations]"
            where = "it belongs under [quirks]" if name in NAMES else known
            raise UserError(f"{path}: {name} is not known here; {where}")
    archive, quirks, destinations = (content.get(name, {}) for name in _SECTIONS)
    try:
        return Profile(
            {_archive_field(key): _of_archive(key, value) for key, value in archive.items()},
            {key: _of_quirk(key, value) for key, value in quirks.items()},
            dict(_destination(ae_title, address) for ae_title, address in destinations.items()),
        )
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def parse_destinations(texts: Iterable[str]) -> dict[str, tuple[str, int]]:
    """Read destinations written as `PACSLAKE=127.0.0.1:11112`. Raises UserError."""
    return dict(_destination(ae_title, address) for ae_title, _, address in (text.partition("=") for text in texts))


def _destination(ae_title: str, address: object) -> tuple[str, tuple[str, int]]:
    host, _, port = address.rpartition(":") if isinstance(address, str) else ("", "", "")
    if not (ae_title and host and port.isdecimal() and 0 < int(port) < 65_536):
        raise UserError(f"destination {ae_title} must have host and port, as 127.0.0.1:11112{_shown(address)}")
    return ae_title, (host, int(port))


def parse_quirks(texts: Iterable[str], profile: Mapping[str, Any] | None = None) -> Quirks:
    """Read quirks written as `cap=500`, `ignores=StudyTime,Modality` or `exclusive_ends`. Raises UserError.

    `profile` has those of a file, over which the texts win.
    """
    found = dict(profile or {})
    for text in texts:
        name, equals, value = text.partition("=")
        found[name] = _of_quirk(name, _from_text(name, value) if equals else True)
    for name, needed in _NEEDS.items():
        if name in found and not any(other in found for other in needed):
            either = " or ".join(needed)
            raise UserError(f"quirk {name} does nothing without {either}; add {either}")
    return Quirks(**found)


def _of_quirk(name: str, value: object) -> object:
    """Check a quirk's value, typed as TOML does."""
    if name not in NAMES:
        raise UserError(f"there is no quirk {name!r}; {_hint(name, NAMES)}")
    default = getattr(_UNCHANGED, name)
    try:
        if isinstance(default, bool):
            return _flag(value)
        if isinstance(default, StrEnum):
            return _choice(type(default), value)
        if isinstance(default, frozenset):
            return _keywords(value, {"*"} if name == "ignores" else set())
        if isinstance(default, float):
            return _seconds(value)
        if isinstance(default, str):
            return _ae_title(value) if name == "sends_as" else _terms(value)
        return _number(value, _LEAST.get(name, 0)) if name != "max_pdu" else _pdu_length(value)
    except _WrongValueError as error:
        raise UserError(f"quirk {name} must be {error}{_shown(value)}") from None


def _terms(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Z0-9_ \\]*", value):
        raise _WrongValueError("a value of SpecificCharacterSet, as ISO_IR 100")
    return value


def _ae_title(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[!-\[\]-~]{0,16}", value):
        raise _WrongValueError("an AE title of at most 16 ASCII characters without spaces or a backslash")
    return value


def _from_text(name: str, text: str) -> object:
    """Give a word of the command line the type that it would have in TOML, where it can have it."""
    default = getattr(_UNCHANGED, name, "")
    if isinstance(default, bool):
        return {"true": True, "false": False}.get(text, text)
    if isinstance(default, frozenset):
        return text.split(",") if text else []
    try:
        return text if isinstance(default, str) else type(default)(text)
    except ValueError:
        return text


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise _WrongValueError("true or false")
    return value


def _choice(choices: type[StrEnum], value: object) -> StrEnum:
    if not isinstance(value, str) or value not in list(choices):
        raise _WrongValueError("one of " + ", ".join(choices))
    return choices(value)


def _keywords(value: object, more: set[str]) -> frozenset[str]:
    if not isinstance(value, list):
        raise _WrongValueError("a list of keywords, as StudyTime")
    for word in value:
        if word not in _KEYWORDS | more:
            hint = _hint(str(word), sorted(_KEYWORDS)) if difflib.get_close_matches(str(word), _KEYWORDS) else ""
            raise _WrongValueError("a list of keywords that the simulator knows" + (f" ({hint})" if hint else ""))
    return frozenset(value)


def _number(value: object, least: int = 0, most: int = 10_000_000) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise _WrongValueError(f"a whole number from {least} to {most}")
    return value


def _pdu_length(value: object) -> int:
    if isinstance(value, int) and 0 < value < _SMALLEST_PDU:
        raise _WrongValueError(f"{_SMALLEST_PDU} bytes or more, or 0 for what the client takes")
    return _number(value)


def _seconds(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
        raise _WrongValueError("a number of seconds, 0 or more")
    return float(value)


def _of_one_day(value: object) -> int:
    return _number(value, most=MOST_ON_A_DAY)


def _length(value: object) -> int:
    return _number(value, most=_MOST_PIXELS)


def _share(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise _WrongValueError("a share from 0 to 1")
    return float(value)


def _day(value: object) -> date:
    if type(value) is not date:
        raise _WrongValueError("a day without quotes, as 2024-01-31")
    return value


_ARCHIVE: dict[str, tuple[str, Callable[[object], object]]] = {
    "studies": ("studies", _number),
    "from": ("first", _day),
    "to": ("last", _day),
    "seed": ("seed", _number),
    "undated": ("undated", _of_one_day),
    "untimed": ("untimed", _share),
    "busy_day": ("busy_day", _day),
    "busy_studies": ("busy", _of_one_day),
    "images": ("most_images", _number),
    "rows": ("rows", _length),
    "columns": ("columns", _length),
}
"""Keys of `[archive]`, named as the options of the command: the argument of `Archive`, and how it is read."""


def _archive_field(key: str) -> str:
    if key not in _ARCHIVE:
        raise UserError(f"archive.{key} is not a known key; {_hint(key, _ARCHIVE)}")
    return _ARCHIVE[key][0]


def _of_archive(key: str, value: object) -> object:
    try:
        return _ARCHIVE[key][1](value)
    except _WrongValueError as error:
        raise UserError(f"archive.{key} must be {error}{_shown(value)}") from None


def archive_of(profile: Profile, given: Mapping[str, Any]) -> Archive:
    """Make the archive of a profile; arguments of `Archive` that are `given` and not None win. Raises UserError."""
    asked = {**profile.archive, **{name: value for name, value in given.items() if value is not None}}
    if "busy" in asked and "busy_day" not in asked:
        raise UserError("studies of a busy day need the day: --busy-day, or busy_day under [archive]")
    return Archive(**{**DEFAULTS, **({"busy": BUSY} if "busy_day" in asked else {}), **asked})


def _hint(wrong: str, right: Iterable[str]) -> str:
    words = list(right)
    near = difflib.get_close_matches(wrong, words, n=1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(words)}"


def _shown(value: object) -> str:
    """Repeat what was given, when it is short."""
    return f", not {value!r}" if len(repr(value)) <= 60 else ""
