"""Answers about single studies, or series, that may have been capped: the end of a crawl tells. Pure.

They cannot be asked for in parts. One with as many rows as the PACS counts is whole, and so is one with fewer rows than
another has. What is left is as large as any: it was capped if it lacks what is counted, or has just as many rows as the
cap of this PACS, or a round number of them that nobody counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from crawler.model import Level, Window, WindowState
from crawler.plan.answers import Accept
from jobs.ledger import Ledger


class DoubtsBelow:
    """Windows with such answers, each with its ledgers from STUDY level down."""

    def __init__(self) -> None:
        self._windows: list[tuple[Window, list[Ledger], bool]] = []
        self._largest: Counter[Level] = Counter()

    def holds(self, window: Window, ledgers: Sequence[Ledger]) -> bool:
        """Take note of a settled window; say whether it is to be kept out of the lake's ledger until the end.

        It is where an answer looks capped by what is known now: if the crawl is killed, it is asked for again.
        """
        for ledger in ledgers:
            self._largest[ledger.level] = max(self._largest[ledger.level], ledger.largest)
        doubted = any(verdict_below(ledger, self._largest[ledger.level], None) for ledger in ledgers)
        if any(ledger.complete and ledger.doubtful for ledger in ledgers):
            kept = [replace(ledger, keys=[], counts={}, counted={}) for ledger in ledgers]
            self._windows.append((window, kept, doubted))
        return doubted

    def take(self, cap: int | None) -> Iterator[tuple[Window, list[Ledger]]]:
        """Give the windows held back, and others that are not proven after all, with their ledgers to be written."""
        for window, ledgers, held in self._windows:
            found = [verdict_below(ledger, self._largest[ledger.level], cap) for ledger in ledgers]
            first = next((at for at, verdict in enumerate(found) if verdict is not None), len(ledgers))
            for below in ledgers[first:]:
                below.verdict = found[first] or below.verdict
            if held or first < len(ledgers):
                yield window, ledgers
        self._windows.clear()


def verdict_below(ledger: Ledger, largest: int, cap: int | None) -> Accept | None:
    """Say what speaks against a level that seemed complete, None where nothing does."""
    rows = ledger.capped(largest, cap) if ledger.complete else None
    if rows is None:
        return None
    why = "fewer than it counts" if rows in ledger.short else "as many as any of them has"
    return Accept(WindowState.CAPPED, f"a {ledger.level.query_retrieve_level} answer has {rows} rows, {why}")
