"""Series that a PACS keeps offline: on the shelf until somebody asks for them, and then for some time. Pure."""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from crawler.testing.objects import SERIES
from crawler.testing.quirks import Offline, Quirks


class Fetched(NamedTuple):
    """Rows of instances: those that can be sent now, and those that were just asked for the first time."""

    now: pa.Table
    later: pa.Table


class Shelf:
    """Knows which series are offline, and which were asked for and when."""

    def __init__(self, quirks: Quirks) -> None:
        self._quirks = quirks
        self._ready_at: dict[str, float] = {}

    def fetch(self, images: pa.Table, moment: float) -> Fetched:
        """Divide the rows of a request, at a moment in seconds."""
        every = self._quirks.offline_every
        if not every:
            return Fetched(images, images.slice(0, 0))
        numbers = images["SeriesNumber"].to_pylist()
        offline = {uid for uid, number in zip(images[SERIES].to_pylist(), numbers, strict=True) if number % every == 0}
        new = offline - self._ready_at.keys()
        self._ready_at |= dict.fromkeys(new, moment + self._quirks.offline_for)
        never = self._quirks.offline is Offline.NEVER
        still = {uid for uid in offline if never or moment < self._ready_at[uid]}
        return Fetched(images.filter(pc.invert(_among(images, still))), images.filter(_among(images, new & still)))


def _among(images: pa.Table, series: set[str]) -> pa.ChunkedArray:
    return pc.is_in(images[SERIES], value_set=pa.array(sorted(series), pa.string()))
