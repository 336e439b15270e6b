"""What the final status of a C-FIND means for whoever asked (PS3.4 C.4.1.1.4, PS3.7 C). Pure."""

from __future__ import annotations

from collections.abc import Iterator

from crawler.model import Outcome

SUCCESS, CANCELLED = 0x0000, 0xFE00
PENDING, PENDING_UNSUPPORTED_KEYS = 0xFF00, 0xFF01

_TEXTS = {
    SUCCESS: "success",
    0x0105: "no such attribute",
    0x0106: "invalid attribute value",
    0x0110: "processing failure",
    0x0118: "no such SOP class",
    0x0122: "SOP class not supported",
    0x0124: "not authorised",
    0x0210: "duplicate invocation",
    0x0211: "unrecognised operation",
    0x0213: "resource limitation",
    0xA700: "out of resources",
    0xA701: "out of resources: cannot count the matches",
    0xA900: "identifier does not match the SOP class",
    CANCELLED: "cancelled",
}

_OUTCOMES = {
    SUCCESS: Outcome.SUCCESS,
    0x0118: Outcome.REFUSED,
    0x0122: Outcome.REFUSED,
    0x0124: Outcome.REFUSED,
    0x0211: Outcome.REFUSED,
    0x0213: Outcome.TOO_MANY,
    CANCELLED: Outcome.CANCELLED,
}

_OUTCOME_RANGES = (
    (0xA700, 0xA7FF, Outcome.TOO_MANY),
    (0xA900, 0xA9FF, Outcome.REFUSED),
    (0xB000, 0xBFFF, Outcome.FAILED),
    (0xC000, 0xCFFF, Outcome.FAILED),
    (0x0100, 0x02FF, Outcome.FAILED),
    (0x0001, 0x0001, Outcome.FAILED),
)
"""Failures and warnings without a meaning of their own above; a warning says that the answer lacks something."""

_TEXT_RANGES = (
    (0xB000, 0xBFFF, "warning"),
    (0xC000, 0xCFFF, "unable to process"),
)


def outcome_of(status: int | None) -> Outcome:
    """Classify a final status; None means that none came."""
    if status is None:
        return Outcome.INTERRUPTED
    if status in _OUTCOMES:
        return _OUTCOMES[status]
    for first, last, meaning in _OUTCOME_RANGES:
        if first <= status <= last:
            return meaning
    return Outcome.UNKNOWN


def meanings() -> Iterator[tuple[str, str, str]]:
    """Give each final status that is known, or a range of them, with its words and its outcome."""
    for status in sorted(_TEXTS):
        yield f"0x{status:04X}", _TEXTS[status], outcome_of(status).value
    words = {(first, last): text for first, last, text in _TEXT_RANGES}
    for first, last, outcome in _OUTCOME_RANGES:
        name = f"0x{first:04X}" if first == last else f"0x{first:04X} to 0x{last:04X}"
        yield name, words.get((first, last), "others of that range"), outcome.value


def describe(status: int | None) -> str:
    """Say a status in words, `0xA700 (out of resources)` say."""
    if status is None:
        return "no final status"
    text = _TEXTS.get(status)
    for first, last, meaning in _TEXT_RANGES:
        if text is None and first <= status <= last:
            text = meaning
    return f"0x{status:04X} ({text or 'not defined by DICOM'})"
