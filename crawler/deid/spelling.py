"""How one word is written: other letters and cases for comparing texts, and all bytes that may stand for it. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_APART = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "æ": "ae", "œ": "oe", "ß": "ss"})
_PLAIN = str.maketrans(
    {"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ħ": "h", "ı": "i"}
    | dict.fromkeys("'`´’‘ʼʻ", "")
    | {chr(kana): chr(kana - 0x60) for kana in range(0x30A1, 0x30F7)}  # katakana as hiragana
)
_NO_APOSTROPHES = str.maketrans("", "", "'`")
_ESCAPES = re.compile(rb"\x1b\$?[()*+\-./]?[@-Z]")

ALPHABETS = (
    *("latin-1", "iso8859_2", "iso8859_3", "iso8859_4", "iso8859_5", "iso8859_6", "iso8859_7", "iso8859_8"),
    *("iso8859_9", "iso8859_13", "iso8859_15", "tis_620", "cp1250", "cp1251", "cp1253", "cp1255", "cp1256"),
)
IDEOGRAPHS = ("gb18030", "shift_jis", "euc_jp", "euc_kr", "iso2022_jp_2", "iso2022_kr")
"""The character sets of DICOM (PS3.3 C.12.1.1.2), and those of Windows that devices write instead."""


def fold(text: str) -> str:
    """Make texts comparable: without case, accents, apostrophes and widths; katakana as hiragana."""
    if text.isascii():
        return text.lower().translate(_NO_APOSTROPHES)
    return _without_marks(text.casefold()).translate(_PLAIN)


def spellings(word: str) -> set[str]:
    """Give a word as folded texts may have it: `Müller` as muller and mueller, and so does `Mueller`."""
    folded = fold(word)
    return {folded, fold(_apart(word)), re.sub("([aou])e", r"\1", folded)}


def weight(word: str) -> int:
    """Say how much a word tells, in letters: an ideograph or a Korean syllable as much as three, kana as two."""
    return sum(3 if letter >= "㐀" else 2 if "぀" <= letter <= "ヿ" or "ｦ" <= letter <= "ﾟ" else 1 for letter in word)


def encoded(word: str) -> Iterator[tuple[bytes, str]]:
    """Give the bytes that may stand for a word, and whether they are `latin-1`, one byte a letter or so, or UTF-16."""
    for way in {
        word,
        _without_marks(word),
        _apart(word),
        unicodedata.normalize("NFC", word),
        unicodedata.normalize("NFD", word),
    }:
        for text in {way, way.lower(), way.upper(), way.title()}:
            yield text.encode("utf-8", "replace"), "latin-1"
            for wide in ("utf-16-le", "utf-16-be"):
                yield text.encode(wide, "replace"), wide
            if not text.isascii():
                yield from ((data, "latin-1") for data in _legacy(text))


def decodings(data: bytes) -> Iterator[str]:
    """Give what bytes may say, whatever is declared of them."""
    if data.isascii() and b"\x1b" not in data:
        yield data.decode("ascii")
        return
    for name in ("utf-8", *ALPHABETS, *IDEOGRAPHS):
        yield data.decode(name, "ignore")
    # Text after an escape sequence of ISO 2022 that Python's codecs do not take in the middle of a value.
    yield _ESCAPES.sub(b"", data).decode("euc_kr", "ignore")
    yield _ESCAPES.sub(b"", data).decode("gb18030", "ignore")


def _legacy(text: str) -> Iterator[bytes]:
    for name in (*ALPHABETS, *IDEOGRAPHS):
        try:
            data = text.encode(name)
        except UnicodeEncodeError:
            continue
        yield data
        yield _ESCAPES.sub(b"", data).strip(b"\x0e\x0f")


def _without_marks(text: str) -> str:
    """Leave out accents, and the marks of Hebrew, Arabic and Thai."""
    apart = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in apart if not unicodedata.category(letter).startswith("M"))


def _apart(word: str) -> str:
    """Write umlauts and their kin as two letters."""
    return unicodedata.normalize("NFC", word).lower().translate(_APART)
