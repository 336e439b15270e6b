"""Cut typed text into SQL statements at semicolons that stand outside quotes and comments. Pure."""

from __future__ import annotations

import re

_PARTS = re.compile(
    r"""
      \b[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z)    # text with backslash escapes; an unclosed one runs to the end
    | '(?:[^']|'')*(?:'|\Z)                # text
    | "(?:[^"]|"")*(?:"|\Z)                # quoted name
    | \$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z)
    | (?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))
    | (?P<end>;)
    """,
    re.VERBOSE | re.DOTALL,
)


def split(text: str) -> tuple[list[str], str]:
    """Give the statements that are complete, without their semicolons, and what is left after the last one."""
    statements, begin = [], 0
    for part in _PARTS.finditer(text):
        if part["end"]:
            statements.append(text[begin : part.start()].strip())
            begin = part.end()
    return [statement for statement in statements if not is_blank(statement)], text[begin:]


def is_blank(text: str) -> bool:
    """Whether nothing but space and comments stands here."""
    return not _PARTS.sub(lambda part: "" if part["comment"] else part[0], text).strip()
