"""Who and what our store turned away while something was retrieved, and what lets them in. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from crawler.pacs.acceptor import CALLED_AE_UNKNOWN, CALLING_AE_UNKNOWN, Rejection
from crawler.retrieve.instance import MEANINGS, NOT_AUTHORIZED, OUT_OF_RESOURCES
from jobs.table import visible

SHOWN = 10
"""Kinds of callers that a person is shown; JSON names all."""


def rejected_lines(rejections: Mapping[Rejection, int], ours: str) -> Iterator[str]:
    """Say who was turned away, and what lets them in."""
    for one, count in Counter(rejections).most_common(SHOWN):
        were = "1 association was" if count == 1 else f"{count:,} associations were"
        yield f"{were} rejected, of {visible(one.calling_ae)} at {one.address}: {_advice(one, ours)}."
    if len(rejections) > SHOWN:
        yield f"and {len(rejections) - SHOWN:,} others were rejected; --format json names them."


def rejected_values(rejections: Mapping[Rejection, int], ours: str) -> list[dict[str, Any]]:
    """Give the same as what JSON can hold."""
    words = {
        CALLING_AE_UNKNOWN: "calling AE title or address not allowed",
        CALLED_AE_UNKNOWN: "called AE title not ours",
    }
    return [
        {
            "calling_ae": one.calling_ae,
            "called_ae": one.called_ae,
            "address": one.address,
            "reason": words.get(one.reason, "too many associations"),
            "advice": _advice(one, ours),
            "associations": count,
        }
        for one, count in rejections.items()
    ]


def _advice(one: Rejection, ours: str) -> str:
    if one.reason == CALLING_AE_UNKNOWN:
        return f'add "{visible(one.calling_ae)}@{one.address}" to [local] allowed_senders if that is your PACS'
    if one.reason == CALLED_AE_UNKNOWN:
        return f"it calls us {visible(one.called_ae)}, and we are {ours}; have that corrected there"
    return "too many were open at once"


def refused_lines(refusals: Mapping[int, int], store: Path) -> Iterator[str]:
    """Say which objects were not taken, and what changes that."""
    for status, count in refusals.items():
        were = "1 object was" if count == 1 else f"{count:,} objects were"
        line = f"{were} refused with 0x{status:04X} ({MEANINGS[status]})"
        match status:
            case _ if status == NOT_AUTHORIZED:
                yield f"{line}: [local] accept_unsolicited = true would keep them."
            case _ if status == OUT_OF_RESOURCES:
                yield f"{line}: make room where {store} is, or raise max_gb_per_day, and run the same command again."
            case _:
                yield f"{line}: that is for whoever looks after the PACS."


def refused_values(refusals: Mapping[int, int]) -> list[dict[str, Any]]:
    """Give the same as what JSON can hold."""
    return [
        {"status": f"0x{status:04X}", "reason": MEANINGS[status], "objects": count}
        for status, count in refusals.items()
    ]
