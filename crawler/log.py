"""Logs: key=value lines for a person, JSON lines for a machine, and never a patient's value in either.

What keeps values out: keys that identify a person are masked, values that are not plain (a Dataset, bytes) are named by
their type, exceptions that are not ours keep their type and place and lose their message, and what pydicom, pynetdicom
and `warnings` say is cut down likewise, because they quote the values they stumble over.
Importing this costs 150 ms (structlog), so commands that do not log do not. Touches: standard error.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

import structlog

from crawler.columns import CATALOGUE, Phi
from crawler.unexpected import describe, place_of, tell_no_values, tell_warnings

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
MASK = "***"

_SHORT_NAMES = {"patient", "name", "accession", "mrn", "birthdate", "dob", "physician", "address", "phone"}
_PLAIN = (str, int, float, bool, date, time, timedelta, Path, type(None))


def configure(level: str = "info", *, human: bool, colors: bool = False) -> None:
    """Send every log line from `level` up to standard error: key=value when `human`, else JSON lines in UTC."""
    tell_no_values()
    renderer: Any = structlog.processors.JSONRenderer(ensure_ascii=False)
    if human:
        renderer = structlog.dev.ConsoleRenderer(
            colors=colors, pad_event_to=0, sort_keys=False, exception_formatter=_no_traceback
        )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S" if human else "iso", utc=not human),
            without_exception_text,
            without_phi,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    _tame_libraries(LEVELS[level])


def without_phi(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask what identifies a person, and name what is not plain by its type (a structlog processor)."""
    return {key: _plain(key, value) for key, value in event.items()}


def without_exception_text(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace `exc_info` by the exception's type and place; only our own messages stay (a structlog processor)."""
    given = event.pop("exc_info", None)
    error = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["error"] = describe(error)
        event["at"] = place_of(error)
    return event


def identifies(key: str) -> bool:
    """Whether a value under this key may identify a person: DICOM keywords in any spelling, and short names."""
    return key.replace("_", "").replace(" ", "").lower() in _IDENTIFYING


def _identifying() -> frozenset[str]:
    attributes = [attribute for level in CATALOGUE.values() for attribute in level]
    names = [name for attribute in attributes if attribute.phi is Phi.DIRECT for name in attribute.columns]
    return frozenset({name.replace("_", "").lower() for name in names} | _SHORT_NAMES)


_IDENTIFYING = _identifying()


def _plain(key: str, value: Any) -> Any:
    if identifies(key):
        return MASK
    if isinstance(value, Mapping):
        return {str(inner): _plain(str(inner), item) for inner, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain("", item) for item in value]
    if isinstance(value, BaseException):
        return describe(value)
    if isinstance(value, date | time | timedelta | Path):
        return str(value)
    return value if isinstance(value, _PLAIN) else f"<{type(value).__name__}>"


def _no_traceback(*_: object) -> None:
    """Stand in for structlog's formatter, which prints messages and local variables."""


class _Forward(logging.Handler):
    """Pass on what other libraries log: who and where, and the template of the message without its values.

    What follows the first line is what asyncio adds of a task or a handle: their reprs quote exceptions and arguments.
    """

    def emit(self, record: logging.LogRecord) -> None:
        said = structlog.get_logger()
        said.log(record.levelno, str(record.msg).partition("\n")[0], logger=record.name, exc_info=record.exc_info)


def _tame_libraries(level: int) -> None:
    logging.basicConfig(handlers=[_Forward()], level=max(level, logging.WARNING), force=True)
    for library in ("pydicom", "pynetdicom"):  # their templates are f-strings: the values are already in
        logging.getLogger(library).setLevel(logging.CRITICAL + 1)
    tell_warnings(_log_warning)


def _log_warning(kind: str, place: str) -> None:
    structlog.get_logger().warning("warning", category=kind, at=place)
