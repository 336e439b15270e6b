"""Datasets as text in the manner of DCMTK's dcmdump, written and read. Pure.

A line is a tag, a VR, a value and a comment; lines in items are indented. Reading takes what dcmdump prints and what a
person types, without comments and ends of items.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache

from pydicom._uid_dict import UID_dictionary
from pydicom.datadict import keyword_for_tag

from crawler.asking.tree import BYTES, DEEPEST, NUMBERS, ONE_VALUE, Field, Tree, vr_of
from crawler.errors import UserError

_WIDTH = 40
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_LINE = re.compile(r"\s*\(([0-9a-fA-F]{4}),([0-9a-fA-F]{4})\)\s*(?:([A-Za-z]{2})\b\s*)?(.*)", re.DOTALL)
_TAG = re.compile(r"\([0-9a-fA-F]{4},")
_BARE = frozenset((*NUMBERS, "AT", *BYTES))
"""VRs whose values are not in brackets."""


def as_lines(tree: Tree, indent: str = "") -> Iterator[str]:
    """Write a dataset."""
    for tag, (vr, value) in sorted(tree.items()):
        if isinstance(value, str):
            yield indent + _line(tag, vr, value)
            continue
        yield indent + _frame(tag, vr, f"(Sequence with undefined length #={len(value)})", f"u/l, 1 {_keyword(tag)}")
        for item in value:
            yield f"{indent}  {_frame(_ITEM, 'na', f'(Item with undefined length #={len(item)})', 'u/l, 1 Item')}"
            yield from as_lines(item, indent + "    ")
            yield f"{indent}  {_frame(_ITEM_END, 'na', '(ItemDelimitationItem)', '  0, 0 ItemDelimitationItem')}"
        end = _frame(_SEQUENCE_END, "na", "(SequenceDelimitationItem)", "  0, 0 SequenceDelimitationItem")
        yield indent + end


def _frame(tag: int, vr: str, shown: str, tail: str) -> str:
    return f"{_head(tag, vr)}{shown.ljust(_WIDTH)} # {tail}"


@lru_cache(1 << 16)
def _line(tag: int, vr: str, value: str) -> str:
    """Write an element; most values come again and again."""
    return _head(tag, vr) + _shown(vr, value).ljust(_WIDTH) + _tail(tag, vr, value)


@cache
def _head(tag: int, vr: str) -> str:
    return f"({tag >> 16:04x},{tag & 0xFFFF:04x}) {vr} "


@cache
def _keyword(tag: int) -> str:
    if tag >> 16 & 1:
        return "PrivateCreator" if 0x10 <= tag & 0xFFFF <= 0xFF else "Unknown Tag & Data"
    return keyword_for_tag(tag) or "Unknown Tag & Data"


def _shown(vr: str, value: str) -> str:
    if not value:
        return "(no value available)"
    return _printable(value) if vr in _BARE else f"[{_printable(value)}]"


def _printable(text: str) -> str:
    """Escape what a terminal would obey, and what would end a line."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)


def _tail(tag: int, vr: str, value: str) -> str:
    parts = 1 if vr in ONE_VALUE or vr in BYTES else value.count("\\") + 1
    length = len(value.encode("utf-8", "replace"))
    return f" # {length + length % 2:3}, {parts if value else 0} {_keyword(tag)}"


def from_text(text: str) -> Tree:
    """Read a dataset; file meta information is passed over. Raises UserError that names the line."""
    root: Tree = {}
    reader = _Reader(root)
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                reader.read(line)
            except UserError as error:
                raise UserError(f"line {number}: {error}") from None
    return root


class _Reader:
    """Where in nested sequences the next line belongs."""

    def __init__(self, root: Tree) -> None:
        self._open: list[tuple[int, Tree]] = [(-1, root)]
        """Indentation and tree of each item that is open, the dataset first."""
        self._sequences: list[tuple[int, list[Tree]]] = []

    def read(self, line: str) -> None:
        found = _LINE.fullmatch(line)
        if found is None:
            raise UserError("is no element, as (0010,0020) LO [12345]")
        tag, indent = int(found[1] + found[2], 16), len(line) - len(line.lstrip())
        if tag == _SEQUENCE_END:
            self._close(indent)
        elif tag == _ITEM:
            self._begin_item(indent)
        elif tag != _ITEM_END:
            self._add(tag, found[3], found[4].strip(), indent)

    def _close(self, indent: int) -> None:
        """Leave the sequences that do not lie further out than a line of this indentation."""
        while self._sequences and self._sequences[-1][0] >= indent:
            depth = self._sequences.pop()[0]
            while self._open[-1][0] > depth:
                self._open.pop()

    def _begin_item(self, indent: int) -> None:
        self._close(indent + 1)
        while self._sequences and self._open[-1][0] >= indent:
            self._open.pop()
        if len(self._open) > DEEPEST or not self._sequences or self._sequences[-1][0] > indent:
            raise UserError("is an item outside a sequence")
        item: Tree = {}
        self._sequences[-1][1].append(item)
        self._open.append((indent, item))

    def _add(self, tag: int, vr: str | None, value: str, indent: int) -> None:
        if tag >> 16 == 0x0002:
            return
        self._close(indent)
        tree = self._open[-1][1]
        vr = vr.upper() if vr and vr.isupper() else vr_of(tag)
        if vr == "SQ":
            items: list[Tree] = []
            tree[tag] = Field(vr, items)
            self._sequences.append((indent, items))
        else:
            tree[tag] = Field(vr, _value(vr, value))


def _value(vr: str, text: str) -> str:
    if text.startswith("["):
        end = text.rfind("]")
        comment = text.rfind("] ") if "#" in text else -1
        if end < 0:
            raise UserError("has a value whose bracket is not closed")
        return text[1 : text.rfind("]", 0, text.rfind("#")) if comment > 0 else end].rstrip(" ")
    text = text.partition("#")[0].strip()
    if text.startswith("="):
        return _uid(text[1:].strip())
    if text.startswith("(") and not _TAG.match(text):
        return ""  # (no value available), (not loaded)
    return text


@cache
def _uids() -> dict[str, str]:
    """Give UIDs by name, whatever hyphens and capitals somebody writes it with."""
    return {_letters(name): uid for uid, told in UID_dictionary.items() for name in (told[0], told[4])}


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def _uid(name: str) -> str:
    """Give the UID that dcmdump prints by its name."""
    uid = _uids().get(_letters(name))
    if uid is None:
        raise UserError(f"has a UID by a name, {name}, that is not known here: write it in figures")
    return uid
