"""What was received goes into the lake, and is told to those who wait for it. Touches: disk, clock, threads."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from crawler.retrieve.adopting import adopted
from crawler.retrieve.files import rows_of
from crawler.retrieve.instance import Outcome
from crawler.retrieve.order import Order
from crawler.retrieve.readback import TOLD, Told, examine, examined
from crawler.retrieve.rows import file_rows
from jobs.publish import Publisher


class Arrivals:
    """Takes the receiver's reports in its thread. Orders are told in the event loop, by which they are run."""

    def __init__(self, publisher: Publisher | None, store: Path, orders: Mapping[str, Order]) -> None:
        self.instances = 0
        """Arrived so far, those too that were here already."""
        self.size = 0
        """Their bytes."""
        self.beside = 0
        """Of these, with other bytes than the file that was here: both are kept."""
        self.of: dict[str, tuple[int, int]] = dict.fromkeys(orders, (0, 0))
        """Both of what each PACS was asked for, by name."""
        self.came = asyncio.Event()
        """Set with each arrival; whoever waits for it clears it."""
        self._publisher = publisher
        self._store = store
        self._orders = orders
        self._loop = asyncio.get_running_loop()
        self._unread: dict[str, list[Told]] = defaultdict(list)

    def report(self, rows: pa.Table) -> None:
        """Write down what is durable now, where there is a lake, then tell of it."""
        if self._publisher is not None:
            rows = pa.concat_tables([self._unrecorded(rows), rows])
            series = set(rows["SeriesInstanceUID"].to_pylist())
            asked = {uid: name for name, order in self._orders.items() for uid in series & order.tracks.keys()}
            self._publisher.append("file", file_rows(rows, asked))
        self._loop.call_soon_threadsafe(self._tell, rows)

    async def broken(self, series: str) -> Collection[str]:
        """Read back what arrived of a series; give the instances whose files are not what was received."""
        told = self._unread.pop(series, [])
        found = await asyncio.to_thread(lambda: list(examined(told, partial(examine, self._store))))
        return [one.instance for one, flaw in found if flaw is not None]

    def _unrecorded(self, rows: pa.Table) -> pa.Table:
        """Give the rows of files that other bytes found at their place, and that are not on record.

        A retrieval that was killed between moving them there and telling of it has left them. A PACS that alters what
        it sends, the time of sending say, would otherwise never bring these instances.
        """
        kept = []
        for row in rows.filter(pc.match_substring(rows["path"], "-")).to_pylist():
            uid = row["SOPInstanceUID"]
            tracks = [order.tracks.get(row["SeriesInstanceUID"]) for order in self._orders.values()]
            if any(tracks) and not any(uid in track.here for track in tracks if track):
                kept.append(adopted(self._store, uid, row["source_ae"]))
        return rows_of([one for one in kept if one], datetime.now(UTC).replace(tzinfo=None))

    def _tell(self, rows: pa.Table) -> None:
        arrived: dict[str, list[str]] = defaultdict(list)
        for row in rows.select([*TOLD, "outcome"]).to_pylist():
            if row["outcome"] != Outcome.OTHER and "-" not in row["path"]:  # else other bytes, kept beside
                arrived[row["SeriesInstanceUID"]].append(row["SOPInstanceUID"])
                self._unread[row["SeriesInstanceUID"]].append(Told(*(row[name] for name in TOLD)))
            self.beside += row["outcome"] == Outcome.OTHER
        self.instances += rows.num_rows
        sizes = list(zip(rows["SeriesInstanceUID"].to_pylist(), rows["size"].to_pylist(), strict=True))
        self.size += sum(size for _, size in sizes)
        for name, order in self._orders.items():
            mine = [size for series, size in sizes if series in order.tracks]
            self.of[name] = (self.of[name][0] + len(mine), self.of[name][1] + sum(mine))
        for series, instances in arrived.items():
            for order in self._orders.values():
                order.arrived(series, instances, self._loop.time())
        self.came.set()
