"""How the service was started. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from crawler.serve.notify import Notifier


@dataclass(frozen=True, slots=True)
class Start:
    """How the service was started: by whom it is watched, and how much it says."""

    notifier: Notifier
    watchdog: float | None = None
    """Seconds within which a sign of life is wanted."""
    log_level: str = "info"
    answers_queries: bool = False
    """Whether the lake is to answer C-FIND."""
    queue: str | None = None
    """Where the jobs are shared with other services."""
