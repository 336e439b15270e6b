"""`pacslake move --destination`: have a PACS send to somebody else. Touches: network, clock, standard output and error.

What arrives there cannot be seen from here: all that is known is what the PACS counts, and it is told as that.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass, field, replace
from typing import Any

import click

from crawler.errors import NotNowError, TransientPeerError
from crawler.model import AETitle, Model
from crawler.pacs.association import Association
from crawler.pacs.command import Counters
from crawler.pacs.sop_classes import MOVE_CLASSES
from crawler.retrieve.move import move
from crawler.retrieve.retrieval import Retrieval
from crawler.retrieve.status import Ending, Moved, describe
from crawler.retrieve.track import Fetch, Item
from crawler.retrieve.wanted import wanted_by
from crawler.settings.address import ae_title
from crawler.words import many
from jobs.brought import SHOWN
from jobs.direct import asking_of
from jobs.exits import Exit
from jobs.meant import Asking, Meant, meant_by
from jobs.named import Named
from jobs.peers import Peers
from jobs.stopping import stopping_on_signals
from jobs.table import visible


@dataclass(frozen=True, slots=True)
class Forward:
    """What to have sent, and to whom."""

    named: Named
    destination: str
    model: Model | None = None
    as_json: bool = False


@dataclass
class _Sent:
    """What the PACS said of one series."""

    series: str
    said: Moved | None = None
    trouble: str | None = None

    @property
    def well(self) -> bool:
        """Whether the PACS says that it sent all."""
        return self.said is not None and self.said.ending is Ending.SUCCESS and not self.said.failed

    @property
    def why(self) -> str:
        """What is wrong, for a person."""
        if self.said is None:
            return self.trouble or "it was not asked for"
        counted = f", {self.said.failed:,} failed" if self.said.failed else ""
        return f"the PACS ended with {describe(self.said.status)}{counted}"


@dataclass
class _Forwarding:
    asking: Asking
    meant: Meant
    destination: AETitle
    sent: list[_Sent] = field(default_factory=list)
    under_way: Retrieval | None = None

    async def run(self) -> None:
        """Ask for one series after the other."""
        called = self.asking.called
        association: Association | None = None
        for item in self.meant.items.values():
            sent = _Sent(item.uid)
            self.sent.append(sent)
            try:
                async with called.gate.asking():
                    if association is None or association.closed:
                        association = await Association.open(called.peer, [MOVE_CLASSES[self.asking.model]])
                    sent.said = await self._move(association, item)
            except TransientPeerError as lost:
                sent.trouble = str(lost)
            except NotNowError as closed:
                sent.trouble = str(closed)
                break
            if sent.said and sent.said.ending is Ending.UNKNOWN_DESTINATION:
                break
        if association is not None:
            await association.release()
        if sys.stderr.isatty():
            sys.stderr.write("\n")  # below what `_tell` has drawn

    async def _move(self, association: Association, item: Item) -> Moved:
        images = tuple(sorted(self.meant.images.get(item.uid, ())))
        wanted = wanted_by(self.asking.model, Fetch(item, images))
        limits = replace(association.peer.limits, idle_timeout=self.asking.called.pacs.retrieve_idle_timeout)
        self.under_way = move(association, wanted, self.destination, limits)
        try:
            return await self.under_way.run(self._tell)
        finally:
            self.under_way = None

    def stop(self) -> None:
        """Have the request under way cancelled."""
        self.asking.called.gate.stopping.set()
        if self.under_way is not None:
            self.under_way.cancel()

    def _tell(self, counted: Counters) -> None:
        """Show what the PACS counts, on a terminal."""
        if sys.stderr.isatty():
            of = len(self.meant.items)
            sys.stderr.write(f"\rseries {len(self.sent):,} of {of:,}: {counted.completed or 0:,} instances sent  ")
            sys.stderr.flush()

    def values(self) -> dict[str, Any]:
        """Give it as what JSON can hold."""
        said = [one.said for one in self.sent if one.said]
        counts = {name: sum(getattr(one, name) or 0 for one in said) for name in ("completed", "failed", "warning")}
        return {
            "destination": self.destination,
            "series": {"sent": sum(one.well for one in self.sent), "of": len(self.meant.items)},
            "instances": {"listed": self.listed, **counts},
            "not_sent": [{"SeriesInstanceUID": one.series, "reason": one.why} for one in self.sent if not one.well],
            "not_listed": self.meant.unknown,
        }

    @property
    def listed(self) -> int | None:
        """How many instances the PACS lists, None where it does not count them."""
        if self.meant.images:
            return sum(map(len, self.meant.images.values()))
        counts = [item.instances for item in self.meant.items.values()]
        return None if None in counts else sum(count or 0 for count in counts)


def run_forward(peers: Peers, forward: Forward) -> Exit:
    """Have what is named sent; give the exit code: 0 the PACS says that all was, 3 it does not, 130 interrupted."""
    destination = ae_title(forward.destination)
    try:
        return asyncio.run(_run(peers, forward, destination))
    except asyncio.CancelledError:  # a second Ctrl-C
        click.echo("pacslake: stopped at once; the PACS may go on sending.", err=True)
        return Exit.INTERRUPTED


async def _run(peers: Peers, forward: Forward, destination: AETitle) -> Exit:
    asking = asking_of(peers, forward.model)
    name, gate = asking.called.peer.name, asking.called.gate
    async with peers.permitted():
        meant = await meant_by(forward.named, asking)
        forwarding = _Forwarding(asking, meant, destination)
        with stopping_on_signals([forwarding.stop]):
            await forwarding.run()
    values = forwarding.values()
    for line in _lines(name, forwarding, values):
        click.echo(line, err=True)
    if forward.as_json:
        click.echo(json.dumps({"pacs": name} | values, indent=2))
    if gate.stopping.is_set() and not gate.stopped:
        return Exit.INTERRUPTED
    counted = values["instances"]
    whole = not values["not_sent"] and not meant.unknown and counted["completed"] >= (counted["listed"] or 0)
    return Exit.OK if whole and len(forwarding.sent) == len(meant.items) else Exit.PARTIAL


def _lines(name: str, forwarding: _Forwarding, values: dict[str, Any]) -> list[str]:
    counted, series = values["instances"], values["series"]
    listed = "" if counted["listed"] is None else f" of {counted['listed']:,} that it lists"
    lines = [f"{name} lists nothing of {visible(value)}." for value in forwarding.meant.unknown]
    if not forwarding.meant.items:
        return lines
    lines += [
        f"{name} says that it sent {series['sent']:,} of {series['of']:,} series to {forwarding.destination}: "
        f"{many(counted['completed'], 'instance')}{listed}, {counted['failed']:,} failed, "
        f"{counted['warning']:,} with warnings.",
        "  Whether they arrived cannot be seen from here.",
    ]
    failed = values["not_sent"]
    lines += [f"  {visible(one['SeriesInstanceUID'])}: {one['reason']}" for one in failed[:SHOWN]]
    if len(failed) > SHOWN:
        lines.append(f"  and {len(failed) - SHOWN:,} more; --format json names all")
    endings = {one.said.ending for one in forwarding.sent if one.said and not one.well}
    if endings & {Ending.UNKNOWN_DESTINATION, Ending.BUSY, Ending.FAILED}:
        lines.append(f"  Have it checked that {forwarding.destination}, its host and port, is registered at {name}.")
    return lines
