"""A synthetic archive of any size: the truth that a simulated PACS answers from. Deterministic by seed. Pure.

A block of days is made when it is first asked for and forgotten when memory is needed for others, so an archive of a
million studies starts at once and stays small.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from crawler import columns
from crawler.model import Level
from crawler.testing import rows
from crawler.testing.block import STUDY_UID_LENGTH, UNDATED, Block, Population, join_blocks, make_day
from crawler.testing.cache import BoundedCache
from crawler.testing.hospital import Hospital
from crawler.testing.patients import Patients, patient_columns
from crawler.testing.schedule import counts_by_day, days_between

_NEARLINE_AFTER_DAYS = 500
_ROOT = STUDY_UID_LENGTH - 14
_BLOCK_STUDIES = 2048
_BYTES_KEPT = 32 * 1024 * 1024


class Piece(NamedTuple):
    """Some studies of one block: from row `start` to before row `stop`."""

    block: int
    start: int
    stop: int


@dataclass(frozen=True)
class Archive:
    """`studies` studies spread over the days from `first` to `last`, both included.

    `undated` more have no StudyDate, and `busy` more happen on the day `busy_day`. `untimed` is the share of studies
    without StudyTime. Images have `rows` and `columns`, 0 for those of their modality; no series has more than
    `most_images`, 0 for as many as real ones have. The same values give the same archive.
    """

    studies: int = 3000
    first: date = date(2023, 1, 1)
    last: date = date(2024, 12, 31)
    seed: int = 1
    series_per_study: float = 6.2
    retrieve_ae: str = "SIMPACS"
    undated: int = 0
    busy_day: date | None = None
    busy: int = 0
    untimed: float = 0.0
    rows: int = 32
    columns: int = 24
    most_images: int = 0
    _blocks: BoundedCache = field(default_factory=lambda: BoundedCache(_BYTES_KEPT), repr=False, compare=False)

    @cached_property
    def hospital(self) -> Hospital:
        """The frequencies and words of this archive."""
        nearline_before = self.last.toordinal() - _NEARLINE_AFTER_DAYS
        size = (self.rows, self.columns)
        return Hospital(self.series_per_study, self.retrieve_ae, nearline_before, self.untimed, size, self.most_images)

    @cached_property
    def counts(self) -> dict[int, int]:
        """Number of studies by key of day, the undated ones first; days without studies are left out."""
        days = days_between(self.first, self.last)
        counts = {UNDATED: self.undated}
        for day, count in zip(days, counts_by_day(days, self.studies, self.seed).tolist(), strict=True):
            counts[day.toordinal()] = count
        if self.busy_day is not None:
            counts[self.busy_day.toordinal()] = counts.get(self.busy_day.toordinal(), 0) + self.busy
        return {key: count for key, count in sorted(counts.items()) if count}

    @cached_property
    def total(self) -> int:
        """Number of studies."""
        return sum(self.counts.values())

    @cached_property
    def population(self) -> Population:
        """The patients that studies are drawn from: about 2.4 studies each."""
        return Population(max(2, int(self.total / 4.8) * 2), self.seed)

    @cached_property
    def _layout(self) -> list[tuple[int, ...]]:
        """The days of each block: as many as make a block large enough to be worth its overhead."""
        layout: list[tuple[int, ...]] = []
        days: list[int] = []
        for key in self.counts:
            days.append(key)
            if key == UNDATED or sum(self.counts[k] for k in days) >= _BLOCK_STUDIES:
                layout.append(tuple(days))
                days = []
        return [*layout, tuple(days)] if days else layout

    @cached_property
    def _places(self) -> dict[int, tuple[int, int]]:
        """Where each day is: its block and its first row there."""
        places = {}
        for number, days in enumerate(self._layout):
            starts = accumulate((self.counts[key] for key in days), initial=0)
            places.update({key: (number, start) for key, start in zip(days, starts, strict=False)})
        return places

    def block(self, number: int) -> Block:
        """Give one block of days."""
        return self._blocks.get(number, lambda: self._make_block(self._layout[number]))

    def _make_block(self, days: tuple[int, ...]) -> Block:
        return join_blocks([make_day(key, self.counts[key], self.hospital, self.population) for key in days])

    def pieces(self, date_from: date | None = None, date_to: date | None = None) -> list[Piece]:
        """Give where the studies of a range of days are, in order; the undated ones belong to the open range only."""
        keys = list(self.counts)
        low = 0 if date_from is None else bisect_left(keys, date_from.toordinal())
        high = len(keys) if date_to is None else bisect_right(keys, date_to.toordinal())
        if keys[:1] == [UNDATED] and not (date_from is None and date_to is None):
            low = max(low, 1)
        return self.pieces_of(keys[low:high])

    def undated_pieces(self) -> list[Piece]:
        """Give where the studies without a date are."""
        return self.pieces_of([UNDATED] if UNDATED in self.counts else [])

    def pieces_of(self, keys: Sequence[int]) -> list[Piece]:
        """Give where the studies of some days in ascending order are; neighbours become one piece."""
        pieces: list[Piece] = []
        for key in keys:
            block, start = self._places[key]
            stop = start + self.counts[key]
            if pieces and pieces[-1].block == block and pieces[-1].stop == start:
                pieces[-1] = Piece(block, pieces[-1].start, stop)
            else:
                pieces.append(Piece(block, start, stop))
        return pieces

    def find_study(self, uid: str) -> Piece | None:
        """Say where a study is; works for the UIDs of its series and instances too."""
        root, stamp, number = uid[:_ROOT], uid[_ROOT : _ROOT + 8], uid[_ROOT + 8 : STUDY_UID_LENGTH]
        if root != rows.uid_root(self.seed) or len(number) != 6 or not (uid.isascii() and (stamp + number).isdigit()):
            return None
        key = _key_of(stamp)
        if key is None or int(number) >= self.counts.get(key, 0):
            return None
        block, start = self._places[key]
        return Piece(block, start + int(number), start + int(number) + 1)

    @cached_property
    def patients(self) -> Patients:
        """Who has studies, how many, and where; takes a pass over the archive when first asked for."""
        return Patients.of(self.population.patients, (self.block(number) for number in range(len(self._layout))))

    def table(self, level: Level, date_from: date | None = None, date_to: date | None = None) -> pa.Table:
        """Give the truth: what a crawler should find, in the columns of `columns.schema` without faults and raw.

        Patients are those of the whole archive, whatever the dates.
        """
        wanted = pa.schema([f for f in columns.schema(level) if f.name not in ("faults", "raw")])
        tables = [pa.table(made, wanted) for made in self._columns(level, wanted.names, date_from, date_to)]
        return pa.concat_tables(tables) if tables else wanted.empty_table()

    def _columns(
        self, level: Level, names: Sequence[str], date_from: date | None, date_to: date | None
    ) -> Iterator[dict[str, pa.Array]]:
        if level is Level.PATIENT:
            yield patient_columns(self.patients, self.patients.numbers, names)
            return
        for piece in self.pieces(date_from, date_to):
            block = self.block(piece.block).part(piece.start, piece.stop)
            if level is Level.STUDY:
                yield rows.study_columns(block, names)
            elif level is Level.SERIES:
                yield rows.series_columns(block, names)
            else:
                yield rows.image_columns(rows.Images(block, np.arange(len(block.series_study))), names)


def _key_of(stamp: str) -> int | None:
    if stamp == "00000000":
        return UNDATED
    try:
        return date(int(stamp[:4]), int(stamp[4:6]), int(stamp[6:])).toordinal()
    except ValueError:
        return None
