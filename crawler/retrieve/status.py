"""What the final status of a C-MOVE or C-GET means for whoever asked (PS3.4 C.4.2.1.5, C.4.3.1.4, PS3.7 C). Pure.

No status says what is here: what arrived is compared with what was asked for, whatever was answered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from crawler.model import AETitle

OUT_OF_RESOURCES = 0xA702
UNKNOWN_DESTINATION = 0xA801


class Ending(StrEnum):
    """How a retrieval ended, by its final status."""

    SUCCESS = "success"
    PARTIAL = "partial"
    """It ended, and some sub-operations failed or warned: ask for what is missing."""
    CANCELLED = "cancelled"
    BUSY = "busy"
    """Out of resources, or it could not send to us (0xA702 says both): ask later, or for less."""
    UNKNOWN_DESTINATION = "unknown_destination"
    """The PACS does not know where our AE title is: a person must register it there."""
    REFUSED = "refused"
    """Not authorised, not supported, identifier rejected: a person must change something."""
    FAILED = "failed"
    """Failed while processing: asking again, or for less, may help."""
    UNKNOWN = "unknown"


_MEANINGS = {
    0x0000: (Ending.SUCCESS, "success"),
    0x0105: (Ending.FAILED, "no such attribute"),
    0x0106: (Ending.FAILED, "invalid attribute value"),
    0x0110: (Ending.FAILED, "processing failure"),
    0x0112: (Ending.FAILED, "no such instance"),
    0x0118: (Ending.REFUSED, "no such SOP class"),
    0x0122: (Ending.REFUSED, "SOP class not supported"),
    0x0124: (Ending.REFUSED, "not authorised"),
    0x0210: (Ending.FAILED, "duplicate invocation"),
    0x0211: (Ending.REFUSED, "unrecognised operation"),
    0x0213: (Ending.BUSY, "resource limitation"),
    0xA700: (Ending.BUSY, "out of resources"),
    0xA701: (Ending.BUSY, "out of resources: cannot count the matches"),
    OUT_OF_RESOURCES: (Ending.BUSY, "out of resources: cannot send"),
    UNKNOWN_DESTINATION: (Ending.UNKNOWN_DESTINATION, "move destination unknown"),
    0xA900: (Ending.REFUSED, "identifier does not match the SOP class"),
    0xB000: (Ending.PARTIAL, "sub-operations ended, some of them in failures or warnings"),
    0xFE00: (Ending.CANCELLED, "cancelled"),
}

_RANGES = (
    (0x0001, 0x0001, Ending.PARTIAL, "warning"),
    (0x0100, 0x02FF, Ending.FAILED, "failure"),
    (0xA700, 0xA7FF, Ending.BUSY, "out of resources"),
    (0xA900, 0xA9FF, Ending.REFUSED, "identifier does not match the SOP class"),
    (0xB000, 0xBFFF, Ending.PARTIAL, "warning"),
    (0xC000, 0xCFFF, Ending.FAILED, "unable to process"),
)
"""Statuses without a meaning of their own above."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What the final response of a C-MOVE or C-GET says; counters are None where it does not give them."""

    status: int
    completed: int | None = None
    failed: int | None = None
    warning: int | None = None
    remaining: int | None = None
    failed_instances: tuple[str, ...] = ()
    """The Failed SOP Instance UID List (0008,0058)."""

    @property
    def ending(self) -> Ending:
        """What the status means."""
        return ending_of(self.status)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a PACS is to send: our AE title, and the host and port under which it reaches us."""

    ae_title: AETitle
    host: str
    port: int


def ending_of(status: int) -> Ending:
    """Classify a final status."""
    return _meaning_of(status)[0]


def meanings() -> Iterator[tuple[str, str, str]]:
    """Give each final status that is known, or a range of them, with its words and how the retrieval ended."""
    for status, (ending, text) in sorted(_MEANINGS.items()):
        yield f"0x{status:04X}", text, ending.value
    for first, last, ending, text in _RANGES:
        yield f"0x{first:04X}" if first == last else f"0x{first:04X} to 0x{last:04X}", f"{text}, others", ending.value


def describe(status: int) -> str:
    """Say a status in words, `0xA801 (move destination unknown)` say."""
    return f"0x{status:04X} ({_meaning_of(status)[1]})"


def advice(status: int, pacs: str, to: Destination) -> str | None:
    """Say what a person can do about the status of a C-MOVE; None where nothing is known to help."""
    ours = f"AE title {to.ae_title} at host {to.host}, port {to.port}"
    match ending_of(status):
        case Ending.UNKNOWN_DESTINATION:
            return f"PACS {pacs} does not know where to send to: have {ours}, registered there as a destination"
        case Ending.BUSY if status == OUT_OF_RESOURCES:
            return (
                f"PACS {pacs} could not send, for want of resources or because it cannot reach us: "
                f"have it checked that {ours}, is what is registered there, and that no firewall is in between"
            )
        case Ending.FAILED:
            # Orthanc says 0xC000 to a destination that it does not know or cannot reach.
            return f"PACS {pacs} could not do it; if that is so for all series, check that {ours}, is registered there"
        case _:
            return None


def advice_without_answer(pacs: str, to: Destination) -> str:
    """Say what a person can do when a PACS ends the association instead of answering a C-MOVE or C-GET.

    Orthanc does that to whom it does not know, though it lets everybody ask with C-FIND.
    """
    where = f" at host {to.host}, port {to.port}," if to.port else ""
    return (
        f"PACS {pacs} did not answer; some do not answer those whom they do not know: "
        f"check that AE title {to.ae_title}{where} is registered there, and may retrieve"
    )


def _meaning_of(status: int) -> tuple[Ending, str]:
    if status in _MEANINGS:
        return _MEANINGS[status]
    for first, last, ending, text in _RANGES:
        if first <= status <= last:
            return ending, text
    return Ending.UNKNOWN, "not defined by DICOM"
