"""What a retrieval came to: for a person, and as JSON. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.filesize import decimal

from crawler.pacs.acceptor import Rejection
from crawler.retrieve.order import Order
from crawler.retrieve.state import State
from crawler.retrieve.track import Stage, Track
from crawler.settings.sections import LocalSettings
from jobs.fetching import Fetching
from jobs.progress import clock
from jobs.table import visible
from jobs.turned_away import refused_lines, refused_values, rejected_lines, rejected_values

SHOWN = 10
"""Series with something missing that a person is shown; JSON names all."""
_ELSEWHERE = "it may not be asked now"


@dataclass(frozen=True)
class Brought:
    """One PACS at the end of a retrieval."""

    name: str
    order: Order
    fetching: Fetching | None
    """None where it could not be asked."""
    came: tuple[int, int]
    """Instances and their bytes."""

    @property
    def missing(self) -> list[Track]:
        """Give the series of which something is missing."""
        return [track for track in self.order.tracks.values() if track.state is not State.COMPLETE]

    @property
    def advice(self) -> str | None:
        """Say what a person can do."""
        return self.fetching.hint if self.fetching and self.missing else None

    @property
    def left_because(self) -> str | None:
        """Say why it was not asked to the end, None where it was."""
        return self.order.abandoned if self.fetching else _ELSEWHERE

    def lines(self) -> Iterator[str]:
        """Say what came, what did not and why, and what to do."""
        _, series, here, total = counts(self.order)
        missing, whole = self.missing, series - len(self.missing)
        line = f"{self.name}: {whole:,} of {series:,} series complete, {here:,} of {total:,} instances here"
        if self.fetching and self.came[0]:
            line += f"; {decimal(self.came[1])} came in {clock(self.fetching.seconds or 0)}"
        if not missing:
            yield f"{line}."
            return
        states = Counter(track.state for track in missing)
        yield f"{line}; NOT complete: {', '.join(f'{count:,} {state}' for state, count in states.items())}."
        if self.left_because:
            yield f"  It was left because {self.left_because}."
        if self.advice:
            yield f"  {self.advice}."
        told = [track for track in missing if track.reason]
        for track in told[:SHOWN]:
            yield f"  {visible(track.item.uid)}: {track.reason}"
        if len(told) > SHOWN:
            cohorts = sorted({track.cohort for track in told if track.cohort})
            all_named = f"`pacslake cohort status {cohorts[0]}`" if cohorts else "--format json"
            yield f"  and {len(told) - SHOWN:,} more; {all_named} names all"
        yield "  Run the same command again to ask for what is missing alone."

    def values(self) -> dict[str, Any]:
        """Give it as what JSON can hold."""
        _, series, here, total = counts(self.order)
        seconds = self.fetching.seconds if self.fetching else None
        return {
            "series": {"complete": series - len(self.missing), "of": series},
            "instances": {"here": here, "of": total, "came": self.came[0]},
            "bytes": self.came[1],
            "seconds": None if seconds is None else round(seconds, 3),
            "left_because": self.left_because,
            "advice": self.advice,
            "missing": [_missing_values(track) for track in self.missing],
        }


@dataclass(frozen=True)
class Outcome:
    """What a whole retrieval came to."""

    pacs: list[Brought] = field(default_factory=list)
    here_before: int = 0
    """Series that were here already."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Series of each cohort for which its limit left no room."""
    rejections: Mapping[Rejection, int] = field(default_factory=dict)
    """Associations that the store turned away."""
    refusals: Mapping[int, int] = field(default_factory=dict)
    """Objects that it did not take, by status."""
    beside: int = 0
    """Objects with other bytes than the file of the instance that was here."""

    @property
    def complete(self) -> bool:
        """Whether all that was asked for is here."""
        return not self.left_out and not any(one.missing for one in self.pacs)

    def lines(self, local: LocalSettings) -> Iterator[str]:
        """Say it to a person."""
        for one in self.pacs:
            yield from one.lines()
        yield from rejected_lines(self.rejections, local.ae_title)
        yield from refused_lines(self.refusals, local.store_path)
        if self.beside:
            yield f"Other bytes of {self.beside:,} came too and are kept beside; the first ones are used."

    def values(self, local: LocalSettings) -> dict[str, Any]:
        """Give it as what JSON can hold."""
        return {
            "complete": self.complete,
            "series_here_before": self.here_before,
            "pacs": {one.name: one.values() for one in self.pacs},
            "left_out": dict(self.left_out),
            "rejected": rejected_values(self.rejections, local.ae_title),
            "refused": refused_values(self.refusals),
            "other_bytes": self.beside,
        }


def _missing_values(track: Track) -> dict[str, Any]:
    """Give a series that is not whole, in the words of `pacslake cohort status --format json`."""
    return {
        "cohort": track.cohort or None,
        "StudyInstanceUID": track.item.study_uid,
        "SeriesInstanceUID": track.item.series_uid,
        "state": track.state.value,
        "reason": track.reason,
        "expected_instances": track.listing.size,
        "here": len(track.here),
        "missing": track.missing,
        "missing_instances": sorted((track.listing.instances or frozenset()) - track.here),
    }


def counts(order: Order) -> tuple[int, int, int, int]:
    """Give the series that are settled and all, the instances that are here and all, as far as those are known."""
    tracks = order.tracks.values()
    total = sum(max(track.listing.size or track.item.instances or 0, len(track.here)) for track in tracks)
    settled = sum(track.stage is Stage.DONE for track in tracks)
    return settled, len(tracks), sum(len(track.here) for track in tracks), total
