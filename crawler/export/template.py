"""Where a file of a dataset lies, by a template such as `{PatientID}/{Modality}/{InstanceNumber:05}.dcm`.

The template alone says where folders begin: no value can add one, climb out of one, or make a name that Windows, macOS
or Linux refuses. A name that two files would share, each gets with a part of the hash of its UIDs. Pure.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from functools import lru_cache
from hashlib import sha256
from string import Formatter

from crawler.errors import UserError

DEFAULT = "{PatientID}/{StudyDate}_{StudyInstanceUID}/{SeriesNumber}_{Modality}/{InstanceNumber:05}.dcm"
NOTHING = "unknown"
"""Stands for a value that a file does not have."""
_LONGEST = 100
"""Characters of a folder's or a file's name: two levels of UIDs stay within the 260 that Windows takes for a path."""
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")
_WIDTH = re.compile(r"0?[1-9]?[0-9]?")
_UNSAFE_IN_TEMPLATE = re.compile(r'[\x00-\x1f\\:*?"<>|]')
_KEYS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")

Parts = list[tuple[str, str | None, str]]
"""Of one name: literal text, the field after it, and how wide that is written."""


def check(template: str, known: Collection[str]) -> None:
    """Check a template before anything is written. UserError, saying what would be right."""
    for name in _parsed(template, known):
        if not name:
            raise UserError(f"the template '{template}' has a folder or a file without a name, or begins with '/'")
        literal = "".join(text for text, _, _ in name)
        if literal.strip(".") == "" and all(field is None for _, field, _ in name):
            raise UserError(f"the template '{template}' has a folder named '{literal}'")
        if found := _UNSAFE_IN_TEMPLATE.search(literal):
            raise UserError(
                f"the template '{template}' has {found[0]!r}, which not every system takes in a file's name"
            )
    if "{" not in template.rpartition("/")[2]:
        raise UserError(f"in the template '{template}' the file's name has no field; {{SOPInstanceUID}}.dcm would do")


def fill(template: str, values: Mapping[str, object]) -> str:
    """Give the path, relative and with `/`, that a template makes of values. UserError for a field not among them."""
    return _filled(list(_parsed(template, values)), values)


def places(template: str, rows: Sequence[Mapping[str, object]]) -> list[str]:
    """Give a path to each row, no two alike on any system, whatever the order of the rows.

    Two rows of the same instance in the same series get the same path.
    """
    names = list(_parsed(template, rows[0])) if rows else []
    paths = [_filled(names, row) for row in rows]
    keys = ["/".join(str(row.get(keyword)) for keyword in _KEYS) for row in rows]
    owners = Counter(
        path.casefold() for path, _ in {(path.casefold(), key) for path, key in zip(paths, keys, strict=True)}
    )
    return [_marked(path, key) if owners[path.casefold()] > 1 else path for path, key in zip(paths, keys, strict=True)]


@lru_cache(4096)  # a folder is named once for each of its files
def safe(text: str, longest: int = _LONGEST) -> str:
    """Give a text as the name of a file or a folder: ASCII letters, digits and `._-+=,`; never empty, never hidden."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9._+=,-]+", "_", plain).lstrip(".").rstrip("._")
    if not name:
        name = NOTHING if not text.strip() else f"_{_digest(text)}"
    if _RESERVED.fullmatch(name):
        name = f"_{name}"
    if len(name) <= longest:
        return name
    stem, suffix = _split(name)
    return f"{stem[: longest - 13 - len(suffix)]}-{_digest(text)}{suffix}"


def _parsed(template: str, known: Collection[str]) -> Iterator[Parts]:
    for name in template.split("/"):
        try:
            found = list(Formatter().parse(name))
        except ValueError as error:
            raise UserError(f"the template '{template}' cannot be read: {error}") from None
        for _, field, width, conversion in found:
            if field is None:
                continue
            if field not in known:
                raise UserError(f"the template '{template}' has {{{field}}}; there is {', '.join(sorted(known))}")
            if conversion or not _WIDTH.fullmatch(width or ""):
                raise UserError(
                    f"in the template '{template}' a number's width is written as {{{field}:05}}, no other way"
                )
        yield [(literal, field, width or "") for literal, field, width, _ in found]


def _filled(names: list[Parts], values: Mapping[str, object]) -> str:
    return "/".join(_name(name, values) for name in names)


def _name(parts: Parts, values: Mapping[str, object]) -> str:
    return safe(
        "".join(literal + ("" if field is None else _text(values[field], width)) for literal, field, width in parts)
    )


def _text(value: object, width: str) -> str:
    match value:
        case None | "":
            return NOTHING
        case int():
            return format(value, width)
        case float():
            return f"{value:g}"
        case datetime():
            return f"{value:%Y%m%d%H%M%S}"
        case date():
            return f"{value:%Y%m%d}"
        case time():
            return f"{value:%H%M%S}"
        case list() | tuple():
            return "-".join(_text(one, "") for one in value) or NOTHING
    return str(value)


def _marked(path: str, key: str) -> str:
    folder, slash, name = path.rpartition("/")
    stem, suffix = _split(name)
    return f"{folder}{slash}{stem[: _LONGEST - 13 - len(suffix)]}-{_digest(key)}{suffix}"


def _split(name: str) -> tuple[str, str]:
    """Split a name before its suffix, `.dcm` or `.nii.gz`; a UID has none."""
    found = re.search(r"(\.[A-Za-z][A-Za-z0-9]{0,4}){1,2}$", name)
    return (name[: found.start()], found[0]) if found and found.start() else (name, "")


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
