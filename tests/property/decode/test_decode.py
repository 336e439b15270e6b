"""decode equals the reference built on pydicom for every dataset, by both of its roads, and no bytes stop it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from crawler.columns import CATALOGUE, schema
from crawler.decode import decode
from crawler.decode.decode import Wanted, _locate, _parts, _table
from crawler.decode.findings import Findings
from crawler.model import HIERARCHY, Identifiers, Level
from tests.property.decode.datasets import datasets
from tests.property.decode.reference import GIVES_UP, reference_row

LEVELS = st.sampled_from(HIERARCHY)
DEFAULTS = st.sampled_from(["", "ISO_IR 100", "ISO_IR 192", "\\ISO 2022 IR 87"])
slow_generation = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], deadline=None)


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """Give the rows with their findings sorted."""
    rows: list[dict[str, Any]] = table.to_pylist()
    for row in rows:
        row["faults"].sort(key=repr)
        row["raw"].sort(key=repr)
    return rows


def by_the_fallback(batch: Identifiers, level: Level, default_charset: str) -> pa.Table:
    wanted = Wanted.of(CATALOGUE[level], schema(level))
    (part,) = _parts(batch)
    findings = Findings()
    elements = _locate(part, wanted, findings, all_odd=True)
    return _table(elements, wanted, {"": default_charset}, part.explicit_vr, findings)


@settings(slow_generation, max_examples=100)
@given(st.data(), LEVELS, st.booleans(), DEFAULTS)
def test_decode_equals_the_reference(data: st.DataObject, level: Level, explicit_vr: bool, default: str) -> None:
    batch = data.draw(st.lists(datasets(level, explicit_vr), max_size=5))
    expected = []
    for dataset in batch:
        try:
            expected.append(reference_row(dataset, level, explicit_vr=explicit_vr, default_charset=default))
        except GIVES_UP:
            assume(False)  # pydicom gives up on a cut-off sequence
    table = decode(Identifiers.of(batch, explicit_vr=explicit_vr), level, default_charset=default)
    assert table.schema == schema(level)
    assert rows_of(table) == expected


@settings(slow_generation, max_examples=100)
@given(st.data(), LEVELS, DEFAULTS)
def test_both_roads_give_the_same_table(data: st.DataObject, level: Level, default: str) -> None:
    batch = Identifiers.of(data.draw(st.lists(datasets(level, False), min_size=1, max_size=8)))
    fast = decode(batch, level, default_charset=default)
    assert rows_of(fast) == rows_of(by_the_fallback(batch, level, default))


@settings(slow_generation, max_examples=100)
@given(st.data(), LEVELS, st.booleans())
def test_rows_do_not_depend_on_their_neighbours(data: st.DataObject, level: Level, explicit_vr: bool) -> None:
    batch = data.draw(st.lists(datasets(level, explicit_vr), max_size=6))
    together = decode(Identifiers.of(batch, explicit_vr=explicit_vr), level).to_pylist()
    alone = [decode(Identifiers.of([dataset], explicit_vr=explicit_vr), level).to_pylist()[0] for dataset in batch]
    assert together == alone


@settings(slow_generation, max_examples=100)
@given(st.lists(st.binary(max_size=120), max_size=6), LEVELS, st.booleans(), st.text(max_size=8))
def test_any_bytes_give_a_valid_row(batch: list[bytes], level: Level, explicit_vr: bool, default: str) -> None:
    table = decode(Identifiers.of(batch, explicit_vr=explicit_vr), level, default_charset=default)
    table.validate(full=True)
    assert table.num_rows == len(batch)


@settings(slow_generation, max_examples=80)
@given(st.data(), LEVELS, st.booleans())
def test_flipped_bytes_give_a_valid_row(data: st.DataObject, level: Level, explicit_vr: bool) -> None:
    dataset = bytearray(data.draw(datasets(level, explicit_vr)))
    for at in data.draw(st.lists(st.integers(0, max(len(dataset) - 1, 0)), max_size=4)):
        if dataset:
            dataset[at] = data.draw(st.integers(0, 255))
    batch = Identifiers.of([bytes(dataset)] * 2, explicit_vr=explicit_vr)
    table = decode(batch, level)
    table.validate(full=True)
    assert table.num_rows == 2


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_gaps_between_identifiers_mean_nothing(kind: type) -> None:
    batch = Identifiers.of([b"\x10\0\x20\0\x02\0\0\0P1", b"\x10\0\x20\0\x02\0\0\0P2"])
    data = b"junk" + batch.data[:10] + b"gap" + batch.data[10:] + b"tail"
    spread = Identifiers(kind(data), type(batch.starts)("q", [4, 17]), type(batch.ends)("q", [14, 27]))
    assert decode(spread, Level.STUDY).column("PatientID").to_pylist() == ["P1", "P2"]
