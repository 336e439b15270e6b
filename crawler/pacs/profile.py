"""What a sweep obeys for one PACS: what was found out about it, overruled by what a person set. Pure.

Owns the names of findings (docs/lake-format.md lists them). A finding without a field below is there for people
to read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from crawler.columns import CATALOGUE, Attribute
from crawler.model import HIERARCHY, Finding, Level

CAP = "cap"
UNSUPPORTED_KEY = "unsupported_key."
"""Before the keyword of a matching key; the value is `matched`, or says why it is of no use."""
REFUSED_ATTRIBUTE = "refused_attribute."
"""Before the keyword of an attribute for which the PACS refuses a whole query at this level."""
DATES_ONLY = "dates_only"
ONE_QUERY = "one_query_per_association"
STUDY_MODALITY = "study_modality"
UNDATED_IN_RANGES = "undated_in_ranges"
EXCLUSIVE_ENDS = "exclusive_ends"
UID_LISTS = "uid_lists"
RELATIONAL = "relational"
ALWAYS_TIMED = "always_timed"

YES, NO = "yes", "no"
MATCHED, IGNORED, REFUSED, WRONG = "matched", "ignored", "refused", "wrong"


@dataclass(frozen=True, slots=True)
class Profile:
    """How one PACS wants to be asked, and how far its answers can be believed."""

    cap: int | None = None
    """Answers at STUDY level with so many rows or more are not believed; None where no cap is known."""
    unsupported: frozenset[str] = frozenset()
    """Matching keys that do not narrow an answer. `StudyDate` here means that ranges of days do not."""
    omit: frozenset[str] = frozenset()
    """Keys that are never sent, neither to match nor to be returned."""
    extra: tuple[str, ...] = ()
    """Keys asked for at STUDY level beyond the catalogue's."""
    dates_only: bool = False
    """StudyTime is not sent as a matching key; it is in `unsupported` then."""
    one_query_per_association: bool = False
    study_modality: bool = False
    """Modality, illegal at STUDY level (PS3.4 C.6.2.1), is asked for there: IMPAX 6.6 fills it alone."""
    undated_in_ranges: bool | None = None
    """Whether studies without a StudyDate come with every range of days; None where that is not known."""
    exclusive_ends: bool = False
    """The ends of a range do not belong to it, against PS3.4 C.2.2.2.5: a day more is asked for on either side."""
    always_timed: bool = False
    """Every study has a StudyTime, so that the hours of a day hold all of its studies."""
    uid_lists: bool = False
    """A list of StudyInstanceUIDs brings the series of all of them."""
    relational: bool = False
    """Series and images of a window come by its days alone, without the UIDs above them (PS3.4 C.4.1.2.2.1)."""
    added: tuple[tuple[Level, Attribute], ...] = ()
    """What users ask for at each level beyond the catalogue, and keep as columns."""
    refused: frozenset[tuple[Level | None, str]] = frozenset()
    """Attributes that are not asked for at a level, because the PACS refuses the whole query for one of them."""


def profile_from(
    findings: Iterable[Finding], overrides: Mapping[str, Any] | None = None, level: Level = Level.STUDY
) -> Profile:
    """Make a profile of the newest findings about a PACS; `overrides` are values of fields that win over them.

    `level` is the one that is asked for by days.
    """
    heard = list(findings)
    known = {finding.name: finding.value for finding in heard if finding.level in (None, level)}
    learned: dict[str, Any] = {field: read(known[name]) for name, (field, read) in _FIELDS.items() if name in known}
    learned["uid_lists"] = any((one.name, one.level, one.value) == (UID_LISTS, Level.SERIES, YES) for one in heard)
    keys = {name.removeprefix(UNSUPPORTED_KEY): value for name, value in known.items() if UNSUPPORTED_KEY in name}
    learned["unsupported"] = frozenset(key for key, value in keys.items() if value != MATCHED)
    learned["refused"] = frozenset(
        (one.level, one.name.removeprefix(REFUSED_ATTRIBUTE))
        for one in heard
        if one.name.startswith(REFUSED_ATTRIBUTE) and one.value == REFUSED
    )
    profile = replace(Profile(), **{**learned, **(overrides or {})})
    if profile.dates_only:
        profile = replace(profile, unsupported=profile.unsupported | {"StudyTime"})
    return profile


def attributes(profile: Profile, level: Level) -> tuple[Attribute, ...] | None:
    """Give what to ask this PACS for at a level, in ascending tag order; None for just the catalogue."""
    wanted = {key.keyword: key for key in (*CATALOGUE[level], *added(profile, level))}
    extra = [*profile.extra, *(["Modality"] if profile.study_modality else [])] if level is Level.STUDY else []
    omit = profile.omit | {keyword for at, keyword in profile.refused if at is level}
    if not extra and not added(profile, level) and omit.isdisjoint(wanted):
        return None
    everywhere = {key.keyword: key for level in HIERARCHY for key in CATALOGUE[level]}
    wanted.update({keyword: everywhere[keyword] for keyword in extra})
    kept = (key for key in wanted.values() if key.keyword not in omit)
    return tuple(sorted(kept, key=lambda key: key.top))


def added(profile: Profile, level: Level) -> tuple[Attribute, ...]:
    """Give what a level's answers are to be decoded for beyond the catalogue."""
    return tuple(key for at, key in profile.added if at is level)


def _cap(text: str) -> int | None:
    return int(text) if text.isdecimal() and int(text) else None


def _flag(text: str) -> bool:
    return text == YES


_FIELDS: dict[str, tuple[str, Callable[[str], Any]]] = {
    CAP: ("cap", _cap),
    DATES_ONLY: ("dates_only", _flag),
    ONE_QUERY: ("one_query_per_association", _flag),
    STUDY_MODALITY: ("study_modality", _flag),
    UNDATED_IN_RANGES: ("undated_in_ranges", _flag),
    EXCLUSIVE_ENDS: ("exclusive_ends", _flag),
    ALWAYS_TIMED: ("always_timed", _flag),
    RELATIONAL: ("relational", _flag),
}
"""Name of a finding -> the field that it sets, and how its value is read."""
