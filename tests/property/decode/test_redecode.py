"""Reading kept bytes again gives what decoding the answer with that character set would have given."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crawler.decode import decode
from crawler.decode.redecode import redecode
from crawler.model import HIERARCHY, Identifiers, Level
from tests.property.decode.datasets import datasets

CHARSETS = st.sampled_from(
    ["", "ISO_IR 100", "ISO_IR 192", "GB18030", "\\ISO 2022 IR 87", "ISO_IR 144", "\\ISO 2022 IR 149"]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), st.sampled_from(HIERARCHY), st.booleans(), CHARSETS, CHARSETS)
def test_reading_again_equals_decoding_anew(
    data: st.DataObject, level: Level, explicit_vr: bool, before: str, after: str
) -> None:
    batch = Identifiers.of(data.draw(st.lists(datasets(level, explicit_vr), max_size=6)), explicit_vr=explicit_vr)
    old = decode(batch, level, default_charset=before)
    undeclared = pc.equal(pc.fill_null(pc.binary_join(old["SpecificCharacterSet"].combine_chunks(), ""), ""), "")
    old = old.filter(undeclared)
    new = decode(batch, level, default_charset=after).filter(undeclared)
    expected = [row for row, was in zip(new.to_pylist(), old.to_pylist(), strict=True) if row != was]
    again = redecode(old, level, after).rows
    assert again.to_pylist() == expected
    assert again.schema == old.schema
    assert isinstance(again, pa.Table)
