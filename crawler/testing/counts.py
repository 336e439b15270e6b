"""What a simulated PACS was asked, so that tests can say how polite a client is. Pure."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from crawler.model import Level


@dataclass
class Counts:
    """What it was asked so far."""

    queries: Counter[Level] = field(default_factory=Counter)
    responses: int = 0
    """Pending responses to queries sent."""
    echoes: int = 0
    under_way: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=100_000))
    """When each of the last queries came, and when its answer had gone: seconds of the monotonic clock."""
    refused: int = 0
    """Requests answered by a failure status."""
    cancelled: int = 0
    moves: Counter[Level] = field(default_factory=Counter)
    gets: Counter[Level] = field(default_factory=Counter)
    stores: int = 0
    """Instances sent, whatever became of them."""
    peak_retrievals: int = 0
    """Most C-MOVE and C-GET that were ever under way at once."""
