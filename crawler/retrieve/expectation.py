"""Who may send us objects, and which: allow-list and expectation as values. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network


@dataclass(frozen=True, slots=True)
class Sender:
    """One who may send: an AE title, and from where."""

    ae_title: str
    network: IPv4Network | IPv6Network | None = None
    """None lets it call from any address."""

    @staticmethod
    def of(text: str) -> Sender:
        """Read `AE`, `AE@192.0.2.7` or `AE@192.0.2.0/24`. Raises ValueError."""
        ae_title, at, network = text.rpartition("@")
        return Sender(ae_title, ip_network(network)) if at else Sender(text)

    def is_at(self, address: str) -> bool:
        """Whether it may call from this address."""
        if self.network is None:
            return True
        try:
            ip = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        # A socket that takes both kinds shows IPv4 callers as ::ffff:192.0.2.7.
        mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
        return (mapped or ip) in self.network


def admits(senders: Iterable[Sender], ae_title: str, address: str) -> bool:
    """Whether somebody of that AE title may call from that address."""
    return any(sender.ae_title == ae_title and sender.is_at(address) for sender in senders)


@dataclass(frozen=True, slots=True)
class Expectation:
    """Which objects are wanted now: those of some studies, of some series, or all that come."""

    studies: frozenset[str] = frozenset()
    series: frozenset[str] = frozenset()
    accept_unsolicited: bool = False

    def includes(self, study_uid: str, series_uid: str) -> bool:
        """Whether an object of this study and series is wanted."""
        return self.accept_unsolicited or series_uid in self.series or study_uid in self.studies
