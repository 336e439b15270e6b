"""Reading kept bytes again gives what decoding the answer with that character set would have given."""

from __future__ import annotations

import struct

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crawler.attributes import Told, resolve
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


STEP = resolve(Told("RequestAttributesSequence.ScheduledProcedureStepDescription", name="step"), Level.SERIES)
CODE = resolve(
    Told("RequestAttributesSequence.RequestedProcedureCodeSequence.CodeMeaning", name="meaning"), Level.SERIES
)
STEPS = st.lists(st.none() | st.sampled_from(["Schädel", "knee", "", "Überlänge " * 9, "頭部"]), max_size=4)


def element(tag: int, value: bytes) -> bytes:
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value)) + value


def series(steps: list[str | None]) -> bytes:
    """Encode a series that has each text in an item of its own, once there and once in a sequence of the item."""
    items = []
    for text in steps:
        value = b"" if text is None else text.encode()
        code = element(0xFFFEE000, element(0x00080104, value) if text is not None else b"")
        own = element(0x00400007, value) if text is not None else b""
        items.append(element(0xFFFEE000, element(0x00321064, code) + own))
    return element(0x0020000E, b"1.2") + element(0x00400275, b"".join(items))


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=5), st.sampled_from(["", "ISO_IR 100", "GB18030"]), CHARSETS)
def test_text_in_sequences_is_read_again_too(steps: list[list[str | None]], before: str, after: str) -> None:
    batch = Identifiers.of([series(one) for one in steps])
    old, new = (decode(batch, Level.SERIES, default_charset=one, added=(CODE, STEP)) for one in (before, after))
    expected = [row for row, was in zip(new.to_pylist(), old.to_pylist(), strict=True) if row != was]
    assert redecode(old, Level.SERIES, after, (CODE, STEP)).rows.to_pylist() == expected
