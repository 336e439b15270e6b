"""Whatever the needles and the bytes: all places are found that bytes.find finds, once each, and no others."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from crawler.deid import needles
from crawler.deid.needles import Needles


@dataclass(frozen=True)
class Word:
    data: bytes


FEW_LETTERS = st.sampled_from([b"a", b"b", b"\0", b"1"])
WORDS = st.lists(st.lists(FEW_LETTERS, min_size=5, max_size=12).map(b"".join), max_size=8)
HAYSTACKS = st.lists(FEW_LETTERS, max_size=300).map(b"".join)


def everywhere(data: bytes, word: bytes) -> set[int]:
    return {start for start in range(len(data)) if data.startswith(word, start)}


@given(WORDS, HAYSTACKS)
def test_all_places_are_found(words: list[bytes], data: bytes) -> None:
    found = [(start, needle.data) for start, needle in Needles(map(Word, set(words))).find(data)]
    assert len(found) == len(set(found))
    assert set(found) == {(start, word) for word in set(words) for start in everywhere(data, word)}


def test_a_needle_across_two_parts_of_a_large_file_is_found_once() -> None:
    word = Word(b"Mustermann")
    for place in (0, needles.AT_ONCE - 5, needles.AT_ONCE, needles.AT_ONCE + 3, 2 * needles.AT_ONCE - 10):
        data = bytearray(2 * needles.AT_ONCE)
        data[place : place + 10] = word.data
        assert list(Needles([word]).find(bytes(data))) == [(place, word)]
