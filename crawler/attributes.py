"""Attributes that a user adds to the catalogue: from what stands in `pacslake.toml` to `Attribute`. Pure.

One is named by keyword or tag, one inside sequences by a path of these, and a private one by tag and creator. Whatever
is wrong is a ValueError whose message says what would be right.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from crawler.columns import CATALOGUE, Attribute, Phi
from crawler.model import HIERARCHY, Level

VRS = (
    *("AE", "AS", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "PN"),
    *("SH", "SL", "SS", "ST", "TM", "UC", "UI", "UL", "UR", "US", "UT"),
)
"""The VRs that a column can hold."""

_OURS = """
entity row_id pacs supersedes change valid_from valid_to first_seen_at changed_at removed_at sweep_id level date_from
date_to time_from time_to key state answer_rows status cap asked_at took_ms queries duplicates rejects reason
undated levels started_at finished_at windows studies series instances inserted updated rejected_at answer name value
evidence found_at worklist_item job kind due_at run faults raw cohort version definition lake_version program frozen_at
dropped_at patients expected_instances not_found ambiguous unlisted uncounted open_days path outcome transfer_syntax
sha256 source_ae size received_at way requests received_instances completed failed warning remaining failed_instances
seen decision person decided_at
"""
OWN_NAMES = frozenset(_OURS.split())
"""Columns of our own, whose names no attribute can take."""

_TAG = re.compile(r"\(?([0-9a-fA-F]{4}),?(?:([0-9a-fA-F]{4})|[xX]{2}([0-9a-fA-F]{2}))\)?")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
_FIRST_BLOCK = 0x10


@dataclass(frozen=True, slots=True)
class Told:
    """What a user says of an attribute; all but the first is for what PS3.6 does not know, or to overrule it."""

    attribute: str
    name: str | None = None
    creator: str | None = None
    vr: str | None = None
    multi: bool | None = None
    phi: Phi | None = None
    meaning: str | None = None


def resolve(told: Told, level: Level) -> Attribute:
    """Find out what is meant. ValueError, as the end of a sentence about it, where that is not clear."""
    *above, last = [step.strip() for step in told.attribute.split(".")]
    path = tuple(_sequence(step) for step in above)
    tag = _tag(last)
    if tag >> 16 & 1:
        found = _private(told, tag, path)
    elif told.creator:
        raise ValueError("is no private attribute, which have an odd group: leave out creator")
    else:
        found = _standard(told, tag, path)
    _check(found, level)
    return found


def with_blocks(added: Iterable[tuple[Level, Attribute]]) -> tuple[tuple[Level, Attribute], ...]:
    """Give each private creator a block of its own in its group, and put each level in ascending tag order."""
    blocks: dict[int, list[str]] = {}
    placed = []
    for level, key in added:
        if key.creator:
            creators = blocks.setdefault(key.tag >> 16, [])
            if key.creator not in creators:
                creators.append(key.creator)
            block = _FIRST_BLOCK + creators.index(key.creator)
            key = replace(key, tag=key.tag & 0xFFFF00FF | block << 8)
        placed.append((level, key))
    return tuple(sorted(placed, key=lambda one: (list(Level).index(one[0]), one[1].label)))


def contradiction(added: Sequence[tuple[Level, Attribute]]) -> str | None:
    """Say which of several attributes cannot stand beside each other: columns of one name are one thing."""
    levels = (Level.WORKLIST, *HIERARCHY)  # Modality, say, stands in both, and is no one's step at a level
    known = {name.lower(): key for level in levels for key in CATALOGUE[level] for name in key.columns}
    seen: set[tuple[Level, str]] = set()
    for level, key in added:
        for name in key.columns:
            same = known.setdefault(name.lower(), key)
            if (same.label, same.arrow_type, same.creator) != (key.label, key.arrow_type, key.creator):
                return (
                    f"attributes.{level.value}: another attribute has a column {name} already; give this one a `name`"
                )
            if (level, name.lower()) in seen:
                return f"attributes.{level.value}: {key.keyword} stands there twice"
            seen.add((level, name.lower()))
    return None


def _sequence(step: str) -> int:
    from pydicom.datadict import dictionary_has_tag, dictionary_VR

    tag = _tag(step)
    if not dictionary_has_tag(tag) or dictionary_VR(tag) != "SQ":
        raise ValueError(f"has {step!r} in its path, which is no sequence")
    return tag


def _tag(step: str) -> int:
    from pydicom.datadict import keyword_dict, tag_for_keyword

    if written := _TAG.fullmatch(step):
        return int(written[1], 16) << 16 | int(written[2] or written[3], 16)
    tag = tag_for_keyword(step)
    if tag is None:
        near = difflib.get_close_matches(step, keyword_dict, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "a tag is written as '0010,1010'"
        raise ValueError(f"must be the keyword or the tag of an attribute ({hint})")
    return tag


def _standard(told: Told, tag: int, path: tuple[int, ...]) -> Attribute:
    from pydicom.datadict import (
        dictionary_description,
        dictionary_has_tag,
        dictionary_VM,
        dictionary_VR,
        keyword_for_tag,
    )

    if not dictionary_has_tag(tag):
        raise ValueError("has a tag that PS3.6 does not know")
    vr = told.vr or dictionary_VR(tag)
    multi = dictionary_VM(tag) != "1" if told.multi is None else told.multi
    steps = [keyword_for_tag(step) for step in (*path, tag)]
    phi = told.phi or (Phi.DIRECT if vr == "PN" else Phi.QUASI)
    meaning = told.meaning or " in ".join(dictionary_description(step) for step in (tag, *reversed(path)))
    return Attribute(told.name or "_".join(steps), tag, vr, phi, meaning, multi=multi, path=path)


def _private(told: Told, tag: int, path: tuple[int, ...]) -> Attribute:
    missing = [word for word in ("name", "creator", "vr") if getattr(told, word) is None]
    if missing:
        raise ValueError(f"is private, and needs {' and '.join(missing)} beside it")
    if path:
        raise ValueError("is private and in a sequence, which cannot be asked for")
    # What a maker keeps there is not known, so that it counts as identifying until somebody says otherwise.
    phi, meaning = told.phi or Phi.DIRECT, told.meaning or f"Private attribute of {told.creator}"
    known = (told.name or "", tag & 0xFFFF00FF | _FIRST_BLOCK << 8, told.vr or "", phi, meaning)
    return Attribute(*known, multi=bool(told.multi), creator=told.creator or "")


def _check(key: Attribute, level: Level) -> None:
    if key.vr not in VRS:
        raise ValueError(f"has the VR {key.vr}; columns can hold {', '.join(VRS)} (say which as `vr`)")
    if key.tag >> 16 < 8 or key.top == 0x00080052 or not key.tag & 0xFFFF:
        raise ValueError("cannot be asked for")
    if not _NAME.fullmatch(key.keyword) or key.keyword.lower() in OWN_NAMES:
        raise ValueError(f"cannot have a column {key.keyword!r}: give it another `name`, of letters, digits and _")
    if not key.creator.isascii() or len(key.creator) > 64 or "\\" in key.creator:
        raise ValueError("has a creator that is no LO of ASCII characters")
    if any(key.label == known.label for known in CATALOGUE[level]):
        raise ValueError("is asked for at this level anyway")
