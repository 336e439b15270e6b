"""Reading `pacslake.toml`. Whatever is wrong in it becomes one sentence that names the file,
the line, the column and the key.

Touches: disk (one file is read, and who may read secrets).
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path

from pydantic import BaseModel, ValidationError

from crawler.attributes import contradiction
from crawler.columns import by_keyword
from crawler.errors import UserError
from crawler.secret import Secret
from crawler.settings.places import place_of
from crawler.settings.sections import KEYS, Settings
from crawler.settings.sentences import ENDLESS, nearest, sentence, syntax_error, syntax_place

Mistake = tuple[tuple[str, ...], str]
"""Where something is wrong, as a path of keys, and what."""


def load(path: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """Read and check a settings file. UserError, in one sentence, for whatever is wrong with it.

    The environment is where secrets may be that it names, or that systemd hands over.
    """
    text = _read(path)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said = str(error)
        raise _wrong(path, syntax_place(said, text), syntax_error(said, text)) from None
    except (ValueError, RecursionError):
        raise UserError(f"{path}: {ENDLESS}") from None
    try:
        context = {"folder": path.absolute().parent, "environment": environment or {}}
        settings = Settings.model_validate(content, context=context)
    except ValidationError as error:
        unknown_first = sorted(error.errors(include_url=False), key=lambda one: one["type"] != "extra_forbidden")
        first, *others = unknown_first
        more = f" ({len(others)} more after this one)" if others else ""
        raise _wrong(path, place_of(text, first["loc"]), f"{sentence(first, KEYS)}{more}") from None
    for keys, said in chain(_wrong_names(settings), _wrong_columns(settings), _loose_secrets(settings)):
        raise _wrong(path, place_of(text, keys), said)
    return settings


def _wrong(path: Path, place: tuple[int, int], said: str) -> UserError:
    line, column = place
    return UserError(f"{path}:{line}:{column}: {said}")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file; `pacslake init` writes one") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not UTF-8 text") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None


def _wrong_names(settings: Settings) -> Iterator[Mistake]:
    """Find what one key alone cannot show: names that stand twice, names that stand for nothing."""
    for table in ("pacs", "jobs", "alerts"):
        seen: dict[str, str] = {}
        for name in getattr(settings, table):
            if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
                yield (table, name), f"{table}.{name!r}: a name has letters, digits, - and _ only, 64 at most"
            if (twin := seen.setdefault(name.lower(), name)) != name:
                yield (table, name), f"{table}.{name} and {table}.{twin} are the same name"
    for name, alert in settings.alerts.items():
        if alert.email and settings.smtp is None:
            yield ("alerts", name, "email"), f"alerts.{name}.email needs a section [smtp] that says by which server"
    if wrong := contradiction(settings.attributes.resolved()):
        yield ("attributes",), wrong
    pacs, cohorts, jobs = settings.pacs, settings.cohorts, settings.jobs
    named: list[tuple[tuple[str, ...], Iterable[str], Iterable[str]]] = [
        (("find_scp", "pacs"), settings.find_scp.pacs, pacs),
        *((("cohorts", name, "pacs"), [one.pacs] if one.pacs else [], pacs) for name, one in cohorts.items()),
        *((("jobs", name, "cohorts"), one.cohorts, cohorts) for name, one in jobs.items()),
        *((("jobs", name, "pacs"), one.pacs, pacs) for name, one in jobs.items()),
    ]
    for keys, names, known in named:
        for name in names:
            if name not in known:
                what = "PACS named {!r}" if known is pacs else "section [cohorts.{}]"
                yield keys, f"{'.'.join(keys)}: there is no {what.format(name)}{nearest(name, known)}"


def _wrong_columns(settings: Settings) -> Iterator[Mistake]:
    """Find what `[phi]` cannot do."""
    if (phi := settings.phi) is None:
        return
    known = by_keyword(key for _, key in settings.attributes.resolved())
    for name in phi.columns:
        if name not in known:
            whose = next((key.keyword for key in known.values() if name in key.columns), None)
            near = difflib.get_close_matches(name, known, n=1)
            meant = f"did you mean {near[0]!r}?" if near else "`pacslake dictionary` names them"
            hint = f"{whose} decides about it" if whose else meant
            yield ("phi", "columns", name), f"phi.columns.{name}: no attribute has this keyword; {hint}"
    for key in known.values():
        if wrong := phi.rules.objection(key):
            yield ("phi", "columns", key.keyword), f"phi.columns.{key.keyword} {wrong}"


def _loose_secrets(settings: Settings) -> Iterator[Mistake]:
    """Find secrets that others can read, whether or not they will be used."""
    for keys, secret in secrets_of(settings):
        try:
            secret.require_private()
        except UserError as error:
            yield keys, f"{'.'.join(keys)}: {error}"


def secrets_of(part: object, keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Secret]]:
    """Give where each secret is, by the path of its key."""
    if isinstance(part, Secret):
        yield keys, part
    elif isinstance(part, BaseModel | dict):
        for name, inner in part.items() if isinstance(part, dict) else part:
            yield from secrets_of(inner, (*keys, str(name)))
