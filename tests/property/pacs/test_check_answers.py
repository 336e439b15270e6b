"""Evidence of checks: elements are counted as they were encoded, whatever the bytes; a free second is free."""

from __future__ import annotations

from collections import Counter
from datetime import time

from hypothesis import given
from hypothesis import strategies as st

from crawler.columns import CATALOGUE
from crawler.model import Identifiers, Level
from crawler.pacs.check.answer import LOOKED_AT, element_counts
from crawler.pacs.check.matching import unseen_second
from crawler.pacs.identifier import encode_identifier

KEYS = [key for keys in CATALOGUE.values() for key in keys]
IDENTIFIERS = st.lists(st.dictionaries(st.sampled_from([(key.tag, key.vr) for key in KEYS]), st.binary(max_size=6)))


@given(IDENTIFIERS, st.booleans())
def test_elements_are_counted_as_they_were_encoded(rows: list[dict[tuple[int, str], bytes]], explicit_vr: bool) -> None:
    encoded = [
        encode_identifier(((tag, vr, value) for (tag, vr), value in row.items()), explicit_vr=explicit_vr)
        for row in rows
    ]
    present, filled, walked = element_counts([Identifiers.of(encoded, explicit_vr=explicit_vr)])
    assert present == Counter(tag for row in rows for tag, _ in row)
    assert filled == Counter(tag for row in rows for (tag, _), value in row.items() if value)
    assert walked == len(rows)


@given(st.lists(st.binary(max_size=60), max_size=5), st.booleans())
def test_any_bytes_can_be_counted(rows: list[bytes], explicit_vr: bool) -> None:
    present, filled, walked = element_counts([Identifiers.of(rows, explicit_vr=explicit_vr)])
    assert filled <= present
    assert walked == len(rows)


def test_only_the_first_rows_are_looked_at() -> None:
    row = encode_identifier([(CATALOGUE[Level.STUDY][1].tag, "DA", b"20240305")])
    batches = [Identifiers.of([row] * (LOOKED_AT - 1)), Identifiers.of([row] * 5)]
    assert element_counts(batches)[2] == LOOKED_AT


@given(st.sets(st.times()), st.times())
def test_a_free_second_is_free(taken: set[time], near: time) -> None:
    second = unseen_second(taken, near)
    assert second.microsecond == 0
    assert second not in {moment.replace(microsecond=0) for moment in taken}
