"""Find the elements of a whole batch at once: one step reads one tag of all datasets (Implicit VR Little Endian).

The answers of one PACS mostly hold the same tags in the same order, so a step is a handful of vector operations over
all rows. A dataset that is not a plain ascending run of defined-length elements is called odd and left to `fallback`.
Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from crawler.decode.column import HEADER, Bytes, Column, Mask, Places, Words, is_padding, words

Offsets: TypeAlias = NDArray[np.int64]

_BLOCK = 4096
"""Rows walked together: few enough for their identifiers to stay in a core's cache from step to step."""

_MAX_STEPS = 512
"""Distinct tags in one block that are worth a vector step; datasets with more are odd."""

_UNWANTED = -1
_DONE = 0xFFFFFFFF
_DELIMITERS = 0xFFFE0000
"""Items and delimiters (PS3.5 7.5) never stand at the top of a dataset."""


@dataclass(frozen=True, slots=True)
class Elements:
    """Where the values of the wanted tags lie, in arrays of shape (tags, rows). Absent ones are empty, not present."""

    data: Bytes
    begins: NDArray[np.int32]
    ends: NDArray[np.int32]
    present: NDArray[np.bool_]
    padded: NDArray[np.bool_]

    def column(self, slot: int) -> Column:
        """Give the values of the tag in `slot`."""
        return Column(self.data, self.begins[slot], self.ends[slot], self.present[slot], self.padded[slot])

    def block(self, rows: slice) -> Elements:
        """Give a view of some rows."""
        places = self.begins[:, rows], self.ends[:, rows]
        return Elements(self.data, *places, self.present[:, rows], self.padded[:, rows])

    def moved(self, data: Bytes, shift: Places) -> Elements:
        """Give the same elements in another buffer, where row i lies `shift[i]` bytes further on."""
        return Elements(data, self.begins + shift, self.ends + shift, self.present, self.padded)


def walk(
    data: Bytes, starts: Offsets, ends: Offsets, tags: tuple[int, ...], suspect: frozenset[int] = frozenset()
) -> tuple[Elements, Mask]:
    """Locate `tags` in the datasets `data[starts[i]:ends[i]]`, and say which datasets are odd.

    `data` is shorter than 2 GiB; what is located for an odd dataset means nothing. One with a `suspect` tag is odd.
    """
    shape = (len(tags), len(starts))
    # An absent value lies at its dataset's start: empty, and still in ascending order with its neighbours.
    first = np.broadcast_to(starts.astype(np.int32), shape)
    absent = np.zeros(shape, np.bool_)
    elements = Elements(data, first.copy(), first.copy(), absent, absent.copy())
    if len(data) < HEADER:
        return elements, ends > starts
    odd = np.zeros(len(starts), np.bool_)
    slots: dict[int, int | None] = {tag: slot for slot, tag in enumerate(tags)} | dict.fromkeys(suspect)
    for at in range(0, len(starts), _BLOCK):
        block = slice(at, at + _BLOCK)
        # One pass from end to end first brings the block into the cache; reading headers is then three times faster.
        data[starts[at] : ends[block][-1]].max(initial=0)
        odd[block] = _walk_block(elements.block(block), starts[block], ends[block], slots)
    return elements, odd


def _walk_block(part: Elements, starts: Offsets, stops: Offsets, slots: dict[int, int | None]) -> Mask:
    """Fill `part` tag by tag, smallest first; a row takes part in a step when that tag is its next one.

    A tag without a slot makes a dataset odd.
    """
    view = words(part.data)
    at = starts.copy()
    tags, lengths, odd = _read_headers(view, at, stops, -1)
    for _ in range(_MAX_STEPS):
        tag = int(tags.min())
        if tag == _DONE:
            return odd
        here = tags == tag
        rows = slice(None) if here.all() else np.flatnonzero(here)
        begins = at[rows] + HEADER
        ends = begins + lengths[rows]
        slot = slots.get(tag, _UNWANTED)
        if slot is None:
            odd[rows] = True
        elif slot != _UNWANTED:
            part.begins[slot, rows] = begins
            part.ends[slot, rows] = ends
            part.present[slot, rows] = True
            part.padded[slot, rows] = is_padding(part.data[ends - 1]) & (ends > begins)
        at[rows] = ends
        tags[rows], lengths[rows], bad = _read_headers(view, ends, stops[rows], tag)
        odd[rows] |= bad
    odd |= tags != _DONE
    return odd


def _read_headers(view: Words, at: Offsets, stops: Offsets, last: int) -> tuple[Offsets, Offsets, Mask]:
    """Read the next tag and length of each dataset, and say which cannot go on; those and the finished are done.

    An undefined length (PS3.5 7.1.1) is larger than any dataset, so it counts as an overrun here.
    """
    room = stops - at
    header = view[np.where(room >= HEADER, at, 0)]
    low = header.astype(np.uint32)
    tags = ((low << np.uint32(16)) | (low >> np.uint32(16))).astype(np.int64)
    lengths = (header >> np.uint64(32)).astype(np.int64)
    good = (lengths <= room - HEADER) & (tags > last) & (tags < _DELIMITERS)
    bad = ~good & (room != 0)
    if not good.all():
        tags[~good] = _DONE
    return tags, lengths, bad
