"""Datasets to try: any attribute of PS3.6 with a value of its VR, in sequences too."""

from __future__ import annotations

from hypothesis import strategies as st
from pydicom._dicom_dict import DicomDictionary

from crawler.asking.tree import BYTES, NUMBERS, SPECIFIC_CHARACTER_SET, Field, Tree, vr_of
from crawler.decode.text import CHARSET_VRS

TAGS = sorted(tag for tag in DicomDictionary if 8 <= tag >> 16 != 0x7FE0 and tag & 0xFFFF and tag >> 16 != 0xFFFE)
LEAVES = [tag for tag in TAGS if vr_of(tag) != "SQ" and tag != SPECIFIC_CHARACTER_SET]
SEQUENCES = [tag for tag in TAGS if vr_of(tag) == "SQ"]

PRINTABLE = st.characters(min_codepoint=0x20, max_codepoint=0x30FF, exclude_categories=("C", "Z"))
_TEXT = st.text(PRINTABLE | st.sampled_from(r" \^="), max_size=20).map(lambda text: text.strip(" "))
_ASCII = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20).map(lambda text: text.strip(" "))
_HEX = st.binary(max_size=8).filter(lambda value: len(value) % 2 == 0).map(lambda value: value.hex("\\"))
_RANGES = {"US": (0, 2**16 - 1), "SS": (-(2**15), 2**15 - 1), "UL": (0, 2**32 - 1), "SL": (-(2**31), 2**31 - 1)}


@st.composite
def fields(draw: st.DrawFn, tag: int) -> Field:
    vr = vr_of(tag)
    if vr in BYTES:
        return Field(vr, draw(_HEX))
    if vr in ("FL", "FD"):
        return Field(vr, "\\".join(map(str, draw(st.lists(st.floats(width=32, allow_nan=False), max_size=3)))))
    if vr in NUMBERS:
        low, high = _RANGES.get(vr, (0, 2**63 - 1))
        return Field(vr, "\\".join(map(str, draw(st.lists(st.integers(low, high), max_size=3)))))
    if vr == "AT":
        return Field(
            vr, "\\".join(f"({one >> 16:04x},{one & 0xFFFF:04x})" for one in draw(st.lists(st.sampled_from(TAGS))))
        )
    return Field(vr, draw(_TEXT if vr in CHARSET_VRS else _ASCII))


@st.composite
def trees(draw: st.DrawFn, deepest: int = 2) -> Tree:
    tree = {tag: draw(fields(tag)) for tag in draw(st.lists(st.sampled_from(LEAVES), max_size=5))}
    if deepest:
        for tag in draw(st.lists(st.sampled_from(SEQUENCES), max_size=2)):
            tree[tag] = Field("SQ", draw(st.lists(trees(deepest - 1), max_size=2)))
    return tree


@st.composite
def questions(draw: st.DrawFn) -> Tree:
    """A dataset that says in which character set it is."""
    return {SPECIFIC_CHARACTER_SET: Field("CS", "ISO_IR 192"), **draw(trees())}
