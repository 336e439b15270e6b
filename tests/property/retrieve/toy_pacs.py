"""A PACS as small as can be for the order machine: series of numbered instances, and ways of not sending them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from crawler.model import Level
from crawler.retrieve.order import Order
from crawler.retrieve.reconcile import Ended, Listing
from crawler.retrieve.status import Moved
from crawler.retrieve.track import Check, Fetch, Item, Look

FAR = 5_000
"""Tasks that no order below comes near: reaching so many means that the machine does not end."""


@dataclass
class ToySeries:
    """One series; every field but `size` is a way of not doing it well."""

    size: int
    grows: int = 0
    """Instances that come at each of the first looks."""
    lists: bool = True
    counts: bool = True
    phantom: int = 0
    """Instances that are listed and do not exist."""
    lost_first: int = 0
    """Requests whose association is lost, half of it sent."""
    empty_first: int = 0
    """Requests answered with success and nothing."""
    only_each: int = 1
    """Of a request only every so manieth instance is sent."""
    late: float = 0.0
    """Seconds after the final response in which the instances arrive."""
    refuses: Level | None = None
    status: int = 0
    broken: int = 0
    looks: int = 0
    requests: int = 0

    def names(self) -> list[str]:
        """Give what it has now."""
        return [f"i{number}" for number in range(self.size)]

    def listing(self) -> Listing:
        """Answer a look."""
        self.looks += 1
        if self.looks <= 3:
            self.size += self.grows
        names = [*self.names(), *(f"p{number}" for number in range(self.phantom))]
        return Listing(frozenset(names)) if self.lists else Listing(count=len(names) if self.counts else None)


@dataclass
class ToyPacs:
    """Drives an order to its end by a clock of its own, as the driver of the product does."""

    series: dict[str, ToySeries]
    order: Order
    now: float = 0.0
    fetches: list[Fetch] = field(default_factory=list)
    later: list[tuple[float, str, list[str]]] = field(default_factory=list)

    def drive(self) -> None:
        """Do what the order hands out until it is finished."""
        for _ in range(FAR):
            self._deliver()
            task = self.order.next(self.now)
            match task:
                case Look():
                    self.order.looked(task, self.series[task.item.uid].listing(), self.now)
                case Fetch():
                    self._fetch(task)
                case Check():
                    self.order.checked(task, ["x"] * self.series[task.item.uid].broken)
                case None if self.order.finished and not self.later:
                    return
                case None:
                    moments = [at for at, _, _ in self.later] + [self.order.next_at() or 1e9]
                    assert min(moments) < 1e9, "nothing is handed out, and nothing is waited for"
                    self.now = max(self.now, min(moments))
            self.now += 0.01
        raise AssertionError("no end")

    def _fetch(self, fetch: Fetch) -> None:
        self.fetches.append(fetch)
        uid, one = fetch.item.uid, self.series[fetch.item.uid]
        one.requests += 1
        names = [name for name in one.names() if not fetch.instances or name in fetch.instances]
        if one.refuses is fetch.level:
            self.order.fetched(fetch, Ended(Moved(0xA900)), self.now)
        elif one.requests <= one.lost_first:
            self.order.arrived(uid, names[: len(names) // 2], self.now)
            self.order.fetched(fetch, Ended(trouble="the association was lost"), self.now)
        elif one.requests <= one.empty_first:
            self.order.fetched(fetch, Ended(Moved(0, 0, 0, 0, 0)), self.now)
        else:
            self._send(uid, names[:: one.only_each], one.late)
            self.order.fetched(fetch, Ended(Moved(one.status, len(names))), self.now)

    def _send(self, uid: str, names: list[str], late: float) -> None:
        if late:
            self.later.append((self.now + late, uid, names))
        else:
            self.order.arrived(uid, names, self.now)

    def _deliver(self) -> None:
        due = [one for one in self.later if one[0] <= self.now]
        self.later = [one for one in self.later if one[0] > self.now]
        for _, uid, names in due:
            self.order.arrived(uid, names, self.now)


def items(series: Iterable[str], known: Collection[tuple[str, int]] = ()) -> list[Item]:
    """Give the items of these series, with what was known of some before."""
    counts = dict(known)
    return [Item("1.2", uid, instances=counts.get(uid)) for uid in series]
