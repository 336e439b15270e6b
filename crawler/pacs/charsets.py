"""Text to and from the character sets of identifiers (PS3.3 C.12.1.1.2, PS3.5 6.1), by pydicom's tables. Pure."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import lru_cache

import pyarrow as pa
from pydicom.charset import convert_encodings, decode_bytes, encode_string
from pydicom.valuerep import PersonName

from crawler.dicom import UTF_8
from crawler.pacs.encoding import Write, is_ascii, utf8

_NO_CHARACTERS = "the character set has no characters for some text"


class CharsetError(ValueError):
    """A character set that is not one of the standard's, or text that it has no characters for."""


@lru_cache(maxsize=64)
def encodings_of(terms: str) -> tuple[str, ...]:
    """Give Python's encodings for the values of SpecificCharacterSet. CharsetError where one is unknown."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # pydicom would guess
        try:
            return tuple(convert_encodings([term.strip() for term in terms.split("\\")]))
        except (LookupError, UserWarning) as error:
            raise CharsetError("SpecificCharacterSet has a value that the standard does not know") from error


def decoded(value: bytes, terms: str) -> str:
    """Read text. CharsetError where these are no characters of that set.

    Delimiters are not looked for: in JIS bytes of characters are the same, and before a real one text returns to the
    first character set anyway (PS3.5 6.1.2.5.3).
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return decode_bytes(value, encodings_of(terms), set())
        except (UnicodeError, UserWarning) as error:
            raise CharsetError("a key is not in the character set that the identifier names") from error


def writer(terms: str) -> Write:
    """Give what writes text in a character set; it raises CharsetError for text that it has no characters for."""
    encodings = encodings_of(terms)
    if encodings == encodings_of(UTF_8):
        return utf8

    def write(column: pa.Array, vr: str) -> pa.Array:
        plain = column.cast(pa.binary())
        if is_ascii(plain):
            return plain
        distinct = column.dictionary_encode()
        words = [_encoded(word, encodings, vr) for word in distinct.dictionary.to_pylist()]
        return pa.array(words, pa.binary()).take(distinct.indices)

    return write


def _encoded(word: str, encodings: Sequence[str], vr: str) -> bytes:
    # pydicom takes the default repertoire for Latin-1, of which it has the first half alone (PS3.5 6.1.1).
    if encodings[0] == "iso8859" and any("\x80" <= character <= "\xff" for character in word):
        raise CharsetError(_NO_CHARACTERS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return PersonName(word).encode(encodings) if vr == "PN" else encode_string(word, encodings)
        except (UnicodeError, UserWarning) as error:
            raise CharsetError(_NO_CHARACTERS) from error
