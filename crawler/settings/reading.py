"""Reading `pacslake.toml`. Whatever is wrong in it becomes one sentence that names the file and the key.

Touches: disk (one file is read, and who may read secrets).
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ValidationError

from crawler.attributes import contradiction
from crawler.columns import by_keyword
from crawler.errors import UserError
from crawler.secret import Secret
from crawler.settings.sections import KEYS, PhiSettings, Settings
from crawler.settings.sentences import ENDLESS, nearest, sentence, syntax_error


def load(path: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """Read and check a settings file. UserError, in one sentence, for whatever is wrong with it.

    The environment is where secrets may be that it names, or that systemd hands over.
    """
    text = _read(path)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path}: {syntax_error(str(error), text)}") from None
    except (ValueError, RecursionError):
        raise UserError(f"{path}: {ENDLESS}") from None
    try:
        context = {"folder": path.absolute().parent, "environment": environment or {}}
        settings = Settings.model_validate(content, context=context)
    except ValidationError as error:
        unknown_first = sorted(error.errors(include_url=False), key=lambda one: one["type"] != "extra_forbidden")
        first, *others = unknown_first
        more = f" ({len(others)} more after this one)" if others else ""
        raise UserError(f"{path}: {sentence(first, KEYS)}{more}") from None
    _check_names(path, settings)
    _check_secrets(path, settings)
    return settings


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file; `pacslake init` writes one") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not UTF-8 text") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None


def _check_names(path: Path, settings: Settings) -> None:
    """Check what one key alone cannot show: names that stand twice, names that stand for nothing."""
    for table in ("pacs", "jobs", "alerts"):
        seen: dict[str, str] = {}
        for name in getattr(settings, table):
            if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
                raise UserError(f"{path}: {table}.{name!r}: a name has letters, digits, - and _ only, 64 at most")
            if (twin := seen.setdefault(name.lower(), name)) != name:
                raise UserError(f"{path}: {table}.{name} and {table}.{twin} are the same name")
    for name, alert in settings.alerts.items():
        if alert.email and settings.smtp is None:
            raise UserError(f"{path}: alerts.{name}.email needs a section [smtp] that says by which server")
    if wrong := contradiction(settings.attributes.resolved()):
        raise UserError(f"{path}: {wrong}")
    if settings.phi is not None:
        _check_columns(path, settings, settings.phi)
    for name in settings.find_scp.pacs:
        if name not in settings.pacs:
            raise UserError(f"{path}: find_scp.pacs: there is no PACS named {name!r}{nearest(name, settings.pacs)}")
    for cohort, told in settings.cohorts.items():
        if told.pacs is not None and told.pacs not in settings.pacs:
            hint = nearest(told.pacs, settings.pacs)
            raise UserError(f"{path}: cohorts.{cohort}.pacs: there is no PACS named {told.pacs!r}{hint}")
    for job, value in settings.jobs.items():
        for name in value.cohorts:
            if name not in settings.cohorts:
                hint = nearest(name, settings.cohorts)
                raise UserError(f"{path}: jobs.{job}.cohorts: there is no section [cohorts.{name}]{hint}")
        for name in value.pacs:
            if name not in settings.pacs:
                hint = nearest(name, settings.pacs)
                raise UserError(f"{path}: jobs.{job}.pacs: there is no PACS named {name!r}{hint}")


def _check_secrets(path: Path, part: object, key: str = "") -> None:
    """Refuse secrets that others can read, whether or not they will be used."""
    if isinstance(part, Secret):
        try:
            part.require_private()
        except UserError as error:
            raise UserError(f"{path}: {key}: {error}") from None
    elif isinstance(part, BaseModel | dict):
        for name, inner in part.items() if isinstance(part, dict) else part:
            _check_secrets(path, inner, f"{key}.{name}".removeprefix("."))


def _check_columns(path: Path, settings: Settings, phi: PhiSettings) -> None:
    known = by_keyword(key for _, key in settings.attributes.resolved())
    for name in phi.columns:
        if name not in known:
            whose = next((key.keyword for key in known.values() if name in key.columns), None)
            near = difflib.get_close_matches(name, known, n=1)
            meant = f"did you mean {near[0]!r}?" if near else "`pacslake dictionary` names them"
            hint = f"{whose} decides about it" if whose else meant
            raise UserError(f"{path}: phi.columns.{name}: no attribute has this keyword; {hint}")
    for key in known.values():
        if wrong := phi.rules.objection(key):
            raise UserError(f"{path}: phi.columns.{key.keyword} {wrong}")
