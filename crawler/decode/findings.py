"""Collect what was malformed or lossy while columns are made, and give it as the columns `faults` and `raw`. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from crawler.decode.column import Column, Rows


@dataclass(slots=True)
class Findings:
    """Faults and raw values of one batch, in the order found; tags become eight hexadecimal digits."""

    _faults: list[tuple[Rows, str, pa.Array]] = field(default_factory=list)
    _raw: list[tuple[Rows, str, pa.Array]] = field(default_factory=list)

    def fault(self, rows: Rows, tag: int, reason: str) -> None:
        """Record one reason against each of `rows`."""
        if len(rows):
            self._faults.append((rows, f"{tag:08x}", pa.repeat(pa.scalar(reason), len(rows))))

    def keep(self, rows: Rows, tag: int, column: Column) -> None:
        """Keep the bytes of `column` in each of `rows`, ascending."""
        if len(rows):
            self._raw.append((rows, f"{tag:08x}", column.at(rows).gather(pa.binary())))

    def keep_bytes(self, row: int, tag: int, value: bytes) -> None:
        """Keep bytes that have no place in a column."""
        self._raw.append((np.array([row]), f"{tag:08x}", pa.array([value], pa.binary())))

    def absorb(self, inner: Findings, owners: Rows, label: str) -> None:
        """Take over what was found in the single values of lists: value i belongs to row `owners[i]`."""
        self._faults += [(owners[rows], label, reasons) for rows, _, reasons in inner._faults]
        self._raw += [(owners[rows], label, values) for rows, _, values in inner._raw]

    def note(self, rows: Rows, label: str, reason: str, column: Column) -> None:
        """Record a reason against each of `rows`, ascending, and keep their bytes."""
        if len(rows):
            self._faults.append((rows, label, pa.repeat(pa.scalar(reason), len(rows))))
            self._raw.append((rows, label, column.at(rows).gather(pa.binary())))

    def faults(self, count: int, kind: pa.ListType) -> pa.Array:
        """Give the faults of `count` rows as lists."""
        return _lists(self._faults, count, kind)

    def raw(self, count: int, kind: pa.ListType) -> pa.Array:
        """Give the raw values of `count` rows as lists."""
        return _lists(self._raw, count, kind)


def _lists(entries: list[tuple[Rows, str, pa.Array]], count: int, kind: pa.ListType) -> pa.Array:
    if not entries:
        return pa.ListArray.from_arrays(np.zeros(count + 1, np.int32), pa.array([], kind.value_type), type=kind)
    rows = np.concatenate([rows for rows, _, _ in entries])
    order = np.argsort(rows, kind="stable")
    tags = pa.concat_arrays([pa.repeat(pa.scalar(label), len(rows)) for rows, label, _ in entries])
    values = pa.concat_arrays([values for _, _, values in entries])
    items = pa.StructArray.from_arrays([tags.take(order), values.take(order)], fields=list(kind.value_type))
    offsets = np.zeros(count + 1, np.int32)
    np.cumsum(np.bincount(rows, minlength=count), out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), items, type=kind)
