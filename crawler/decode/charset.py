"""Decode text in the character sets of DICOM (PS3.3 C.12.1.1.2, PS3.5 6.1), with pydicom's tables of them.

Never guesses in silence: what cannot be decoded becomes U+FFFD and a reason. All the character sets leave bytes below
0x80 alone, ESC excepted, so that text of such bytes needs none of this. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from pydicom import charset as tables

ESC = 0x1B

NOT_IN_CHARSET = "not in its character set"
UNKNOWN_CHARSET = "unknown character set"
MISSPELT_CHARSET = "misspelt character set"

_DEFAULT_TERMS = frozenset({"", "ISO_IR 6", "ISO 2022 IR 6"})
_JAPANESE = frozenset({"iso2022_jp", "iso2022_jp_2"})
"""Codecs that read the escape sequences themselves."""

_FRAGMENT = re.compile(rb"\x1b[^\x1b]*|[^\x1b]+")
# A component group starts anew at '='; where two bytes make a Japanese character, 0x3D may be one of them.
_NAME_FRAGMENT = re.compile(rb"\x1b\$(?:B|\(D)[^\x1b]*|\x1b[^\x1b=]*|=[^\x1b=]*|[^\x1b=]+")
_TEXT_RESET = re.compile(rb"[\r\n\t\f\\]")
_NAME_RESET = re.compile(rb"[\^\\]")


@dataclass(frozen=True, slots=True)
class Charset:
    """Python codecs for the values of SpecificCharacterSet, and what was wrong with these values, if anything."""

    codecs: tuple[str, ...]
    problem: str | None = None


@lru_cache(maxsize=1024)
def charset_of(terms: str) -> Charset:
    r"""Look up defined terms, as `ISO 2022 IR 6\ISO 2022 IR 87`; an unknown term counts as plain ASCII."""
    codecs, problem = [], None
    for term in terms.split("\\"):
        codec, trouble = _codec_of(term.strip())
        problem = problem or trouble
        codecs.append(codec)
    if len(codecs) > 1:
        alone = {tables.python_encoding[term] for term in tables.STAND_ALONE_ENCODINGS}
        if codecs[0] in alone:
            codecs = codecs[:1]
        codecs = codecs[:1] + [codec for codec in codecs[1:] if codec not in alone]
    return Charset(tuple(codecs), problem)


def known_terms() -> list[str]:
    """List the defined terms of every character set."""
    return sorted(term for term in tables.python_encoding if term)


def _codec_of(term: str) -> tuple[str, str | None]:
    if term in _DEFAULT_TERMS:
        return "ascii", None
    if term in tables.python_encoding:
        return tables.python_encoding[term], None
    corrected = re.sub(r"^ISO.IR.?", "ISO_IR ", re.sub(r"^ISO.2022.IR.?", "ISO 2022 IR ", term))
    if corrected in tables.python_encoding:
        return tables.python_encoding[corrected], MISSPELT_CHARSET
    return "ascii", UNKNOWN_CHARSET


def decode_text(value: bytes, charset: Charset, is_name: bool = False) -> tuple[str, str | None]:
    """Decode one value, and say what was wrong. Delimiters of a person name end an escape sequence's reach, too."""
    parts, problem = [], charset.problem
    fragments, reset = (_NAME_FRAGMENT, _NAME_RESET) if is_name else (_FRAGMENT, _TEXT_RESET)
    for fragment in fragments.findall(value):
        try:
            parts.append(_decode_fragment(fragment, charset.codecs, reset))
        except UnicodeError:
            problem = problem or NOT_IN_CHARSET
            parts.append(fragment.decode(charset.codecs[0], errors="replace"))
    return "".join(parts), problem


def _decode_fragment(fragment: bytes, codecs: tuple[str, ...], reset: re.Pattern[bytes]) -> str:
    """Decode up to the next escape sequence. Raises UnicodeError for bytes and sequences that have no meaning here."""
    if fragment[0] != ESC:
        return fragment.decode(codecs[0])
    length = 4 if fragment[1:3] in (b"$(", b"$)") else 3
    sequence, text = fragment[:length], fragment[length:]
    if sequence == b"\x1b(B":
        # ASCII in G0; G1 stays what the first character set says (PS3.5 6.1.2.5.3).
        return text.decode(codecs[0])
    codec = tables.CODES_TO_ENCODINGS.get(sequence)
    if codec not in codecs:
        raise UnicodeError("escape sequence of an undeclared character set")
    if codec in _JAPANESE:
        return fragment.decode(codec)
    delimiter = reset.search(text)
    reach = delimiter.start() if delimiter else len(text)
    return text[:reach].decode(codec) + text[reach:].decode(codecs[0])
