"""Where in `pacslake.toml` a key stands, for those who look for it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_WORD = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_PATH = rf"{_WORD}(?:[ \t]*\.[ \t]*{_WORD})*"
_LINE = re.compile(rf"[ \t]*(?P<bracket>\[*)[ \t]*(?P<path>{_PATH})[ \t]*(?:=|(?(bracket)\]|=))")
_QUOTES = re.compile("\"\"\"|'''")


def place_of(text: str, keys: Sequence[str | int]) -> tuple[int, int]:
    """Give line and column, from 1, of a key by its path; where it stands nowhere, of what it is missing in."""
    wanted = [key for key in keys if isinstance(key, str)]
    best: tuple[int, int, int] = (0, 1, 1)
    for path, line, column in _keys(text):
        if path == wanted[: len(path)] and len(path) > best[0]:
            best = (len(path), line, column)
    depth, line, column = best
    content = text.splitlines()[line - 1] if depth else ""
    for key in wanted[depth:]:  # it is in braces
        found = re.compile(rf"[{{,][ \t]*({re.escape(key)})[ \t]*=").search(content, column - 1)
        column = found.start(1) + 1 if found else column
    return line, column


def _keys(text: str) -> Iterator[tuple[list[str], int, int]]:
    """Give what is assigned to, and the headers of sections, each with its place."""
    section: list[str] = []
    in_text = False
    for number, line in enumerate(text.splitlines(), start=1):
        found = None if in_text else _LINE.match(line)
        in_text ^= len(_QUOTES.findall(line)) % 2 == 1
        if found is None:
            continue
        path = [word.strip("\"'") for word in re.findall(_WORD, found["path"])]
        if found["bracket"]:
            section = path
        yield (path if found["bracket"] else section + path), number, found.start("path") + 1
