"""The last look at a file before it is released: does anything known of its patient stand in it?

It shares nothing with what took identifiers out, and looks in two ways at once: at the texts of all elements, letter by
letter in whatever character set, and at all bytes, so that nothing escapes in private elements, pixels, before and
after the dataset. What it finds it names by kind and place, never by value. Pure.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from crawler.deid.contents import Piece, as_text, pieces
from crawler.deid.identifiers import LONG_ENOUGH, SAFE_IN_DECIMALS, Identifiers, Known, Needle
from crawler.deid.spelling import decodings, fold
from crawler.deid.walk import Holds, Value, where

UNSEARCHABLE = "something that cannot be searched"

OURS = frozenset(
    (
        b"Basic Application Confidentiality Profile",
        b"Clean Pixel Data Option",
        b"Clean Recognizable Visual Features Option",
        b"Clean Graphics Option",
        b"Clean Structured Content Option",
        b"Clean Descriptors Option",
        b"Retain Longitudinal Temporal Information Full Dates Option",
        b"Retain Longitudinal Temporal Information Modified Dates Option",
        b"Retain Patient Characteristics Option",
        b"Retain Device Identity Option",
        b"Retain UIDs Option",
        b"Retain Safe Private Option",
        b"Retain Institution Identity Option",
        b"19000101",
        b"19000101000000",
    )
)
"""Whole values that de-identification itself writes: the meanings of CID 7050 (PS3.16) and the dates of PS3.15 that
stand for none. Patients may be called Basic or Clean, and many have a birth date that stands for none too."""

_LONGEST_OF_OURS = max(map(len, OURS)) + 1
"""With a byte of padding; values of pixels are not copied to be compared with them."""
_SEPARATORS = bytes(code for code in range(128) if not chr(code).isalnum())
_LETTERS = re.compile(r"[^\W\d_]+")
_SHORT_IN_BYTES = 4
_AROUND = 32
_CERTAIN = 10
_SMALL_LETTERS = frozenset(b"abcdefghijklmnopqrstuvwxyz")
_EDGES = frozenset((b"", *(bytes([code]) for code in b'\0\t\n\r ^=\\,;:|()<>"')))


@dataclass(frozen=True, slots=True)
class Leak:
    """Something that should not be in a file."""

    kind: str
    """What is known there, in the words of `Known`."""
    where: str


def search(data: bytes, identifiers: Identifiers) -> list[Leak]:
    """Look for a patient's identifiers in the bytes of a file of any kind. What cannot be searched is a leak too."""
    leaks: dict[Leak, None] = {}
    try:
        for piece in pieces(data):
            for value, kind in (*_in_texts(piece, identifiers), *_in_bytes(piece, identifiers)):
                leaks[Leak(kind, piece.name or where(value))] = None
    except ValueError as error:
        leaks[Leak(UNSEARCHABLE, f"the file: it {error}")] = None
    return list(leaks)


def _in_texts(piece: Piece, identifiers: Identifiers) -> Iterator[tuple[Value, Known]]:
    """Look at all texts at once, and at each only where that finds something."""
    texts: dict[bool, list[tuple[Value, bytes]]] = {True: [], False: []}
    for value in piece.values:
        start, end, _, holds = value
        if holds is Holds.TEXT or holds is Holds.CODE:
            texts[holds is Holds.TEXT].append((value, piece.data[start:end]))
        elif holds is Holds.BYTES:
            content = piece.data[start:end]
            if (text := as_text(content)) is not None:
                texts[True].append((value, text))
            else:
                yield from ((value, kind) for kind in _short_words(content, identifiers))
    for by_people, said in texts.items():
        look = partial(_look, identifiers=identifiers, by_people=by_people)
        together = [text for _, text in said]
        all_plain = _is_plain(b"".join(together))  # nearly always, and quickly told
        special = frozenset(text for text in together if not (all_plain or _is_plain(text)))
        suspicious = any(map(look, _said(b"\x1f".join(text for text in together if text not in special))))
        for value, text in said if suspicious or special else ():
            if (suspicious or text in special) and text.strip(b" \0") not in OURS:
                yield from ((value, kind) for way in _said(text) for kind in look(way))


def _is_plain(text: bytes) -> bool:
    return text.isascii() and b"\x1b" not in text


def _said(text: bytes) -> Iterator[str]:
    return map(fold, decodings(text))


def _look(text: str, identifiers: Identifiers, by_people: bool) -> set[Known]:
    """Give the kinds of what stands in a folded text. Numbers of few digits count where people write, not in values."""
    found = {kind for part, kind in identifiers.parts.items() if part in text}
    if identifiers.words:
        found.update(identifiers.words[word] for word in identifiers.words.keys() & _LETTERS.findall(text))
    bare = text.encode().translate(None, _SEPARATORS).decode()
    for letters, code in identifiers.codes.items():
        short_number = len(letters) < LONG_ENOUGH and letters.isdigit()
        if letters in bare and (by_people or not short_number) and re.search(code.pattern, text):
            found.add(code.kind)
    return found


def _short_words(content: bytes, identifiers: Identifiers) -> Iterator[Known]:
    """Look for names of four letters between other bytes; shorter ones stand there by chance."""
    lowered = content.lower()
    for word, kind in identifiers.words.items():
        if len(word) == _SHORT_IN_BYTES and word.isascii() and word.encode() in lowered:
            alone = re.compile(rb"(?<![a-z])" + word.encode() + rb"(?![a-z])")
            if alone.search(lowered):
                yield kind


def _in_bytes(piece: Piece, identifiers: Identifiers) -> Iterator[tuple[Value, Known]]:
    values = sorted(piece.values) if piece.values else []
    for start, needle in identifiers.needles.find(piece.data):
        value = _value_at(values, start, len(piece.data))
        begin, end, _, holds = value
        found = _Found(piece.data, begin, start, start + len(needle.data), max(end, start + len(needle.data)))
        if end - begin <= _LONGEST_OF_OURS and piece.data[begin:end].strip(b" \0") in OURS:
            continue
        if holds is Holds.PIXELS and not _stands_out(found, needle):
            continue
        if _is_meant(found, needle, identifiers):
            yield value, needle.kind


@dataclass(frozen=True, slots=True)
class _Found:
    """A needle's place in a value. What lies beyond the value says nothing of it: a length may look like a digit."""

    data: bytes
    value_begin: int
    begin: int
    end: int
    value_end: int

    def before(self, most: int) -> bytes:
        return self.data[max(self.begin - most, self.value_begin) : self.begin]

    def after(self, most: int) -> bytes:
        return self.data[self.end : min(self.end + most, self.value_end)]


def _value_at(values: Sequence[Value], position: int, length: int) -> Value:
    """Give the value in which a byte lies; those between values belong to no element."""
    index = bisect_right(values, position, key=lambda value: value[0]) - 1
    if index >= 0 and values[index][1] > position:
        return values[index]
    return position, length, 0, Holds.BYTES


def _is_meant(found: _Found, needle: Needle, identifiers: Identifiers) -> bool:
    """Say whether a number or UID stands there as a whole, and not as a piece of another one."""
    before = found.before(4 * _AROUND)
    if needle.encoding != "latin-1":
        before = before[len(before) % 2 :]
    before_it, after = (side.decode(needle.encoding, "replace") for side in (before, found.after(4 * _AROUND)))
    text = needle.data.decode(needle.encoding, "replace")
    if needle.kind is Known.UID:
        parts = (text + re.match(r"[0-9.]*", after)[0]).rstrip(".").split(".")  # type: ignore[index]  # always matches
        known = any(".".join(parts[:count]) in identifiers.uids for count in range(2, len(parts) + 1))
        return known and not re.search(r"[0-9.]$", before_it)
    if text[0] in "0123456789" and re.search(r"[1-9]0*$", before_it):
        return False
    if text[-1] in "0123456789" and re.match("[0-9]", after):
        return False
    if text.isdigit() and len(text) < SAFE_IN_DECIMALS:
        return not re.search(r"[0-9]\.0*$", before_it) and not re.match(r"\.[0-9]", after)
    return True


def _stands_out(found: _Found, needle: Needle) -> bool:
    """Say whether letters in pixels are more than grey values that look like letters.

    In pixels of eight bits around 0x6A every other one is a small letter, and words of five come about by chance.
    """
    if len(needle.data) >= _CERTAIN or needle.encoding != "latin-1":
        return True
    around = found.before(_AROUND) + found.after(_AROUND)
    if sum(byte | 0x20 in _SMALL_LETTERS for byte in around) < len(around) / 2:
        return True
    return found.before(1) in _EDGES and found.after(1) in _EDGES
