"""What is wrong with a settings file, in one sentence that suggests what was meant. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

_MEANINGS = {
    "missing": "is missing",
    "string_type": "must be text in quotes",
    "path_type": "must be text in quotes",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "tuple_type": "must be a list, as ['one', 'two']",
    "model_type": "must be a section with keys of its own",
    "dict_type": "must be a section with keys of its own",
    "too_short": "must not be empty",
    "finite_number": "must be a finite number",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
    "string_pattern_mismatch": "must be of the form {pattern}",
    "value_error": "{error}",
}

ENDLESS = "has a number of thousands of digits, or brackets in hundreds of brackets"
"""What tomllib does not say as a mistake in TOML."""


def nearest(wrong: str, right: Iterable[str]) -> str:
    """Suggest what was meant, as the end of a sentence: the nearest of the right words, or all of them."""
    words = sorted(right)
    near = difflib.get_close_matches(wrong.lower(), words, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known are {', '.join(words)}" if words else "; none is known"


def syntax_error(message: str, text: str) -> str:
    """Put tomllib's message as a sentence that names the key, where it is about a key that stands twice."""
    if section := re.search(r"Cannot declare \((.*)\) twice", message):
        words = ".".join(re.findall(r"'([^']*)'", section[1]))
        return f"{words} stands twice"
    if "Cannot overwrite a value" in message:
        return f"{_key_at(text, message)} stands twice"
    why = re.sub(r" \(at (line|end).*\)$", "", message)
    return f"is not TOML: {why[:1].lower()}{why[1:]}"


def syntax_place(message: str, text: str) -> tuple[int, int]:
    """Give line and column of what tomllib's message is about."""
    found = re.search(r"at line (\d+), column (\d+)", message)
    return (int(found[1]), int(found[2])) if found else (max(text.count("\n"), 1), 1)


def _key_at(text: str, message: str) -> str:
    """Give the path of the key assigned in the line that a message is about, by the section header above it."""
    line = re.search(r"at line (\d+)", message)
    lines = text.rstrip().splitlines()[: int(line[1]) if line else None]
    key = lines[-1].partition("=")[0].strip()
    headers = (found[1] for found in map(re.compile(r"\s*\[([^\[\]]+)\]").match, reversed(lines)) if found)
    section = next(headers, "")
    return f"{section}.{key}" if section else key


def sentence(error: Any, keys: Mapping[tuple[str, ...], Iterable[str]]) -> str:
    """Say what pydantic found at one key; `keys` has the known ones of each section, `*` for a name in its path."""
    place: tuple[str | int, ...] = error["loc"]
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")
    if error["type"] == "extra_forbidden":
        return f"{path} is not a known key{nearest(str(place[-1]), _known(place[:-1], keys))}"
    known = _MEANINGS.get(error["type"])
    meaning = error["msg"] if known is None else known.format(**error.get("ctx", {}))
    value = error["input"]
    shown = f", not {value!r}" if isinstance(value, str | int | float) and len(repr(value)) <= 40 else ""
    if "://" in shown and "@" in shown:  # where a password may be
        shown = ""
    return f"{path} {meaning}{shown}"


def _known(place: tuple[str | int, ...], keys: Mapping[tuple[str, ...], Iterable[str]]) -> Iterable[str]:
    return keys[tuple("*" if depth else str(part) for depth, part in enumerate(place))]
