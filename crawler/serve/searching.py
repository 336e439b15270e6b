"""Searches of QIDO-RS (PS3.18 10.6) and metadata of WADO-RS (10.4.1.1.2), as SQL over the lake's tables.

What is here in several PACS comes once, as the one of them has it that changed last. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pydicom.datadict import keyword_for_tag, tag_for_keyword

from crawler.columns import CATALOGUE, Attribute
from crawler.errors import UserError
from crawler.model import Level
from crawler.serve.matching import Condition, can_match, condition, joined

USUAL, MOST = 1000, 5000
"""Results of a search that names no `limit`, and of any."""
MOST_INSTANCES = 20_000
"""Of which metadata is given at once."""
NO_FUZZY = "The fuzzymatching parameter is not supported. Only literal matching has been performed."
MORE = "There are additional results that can be requested"

LEVELS = (Level.STUDY, Level.SERIES, Level.IMAGE)
_TABLES = {Level.STUDY: "studies", Level.SERIES: "series", Level.IMAGE: "instances"}
_RETURNED = {
    Level.STUDY: "SpecificCharacterSet StudyDate StudyTime AccessionNumber InstanceAvailability ModalitiesInStudy "
    "ReferringPhysicianName PatientName PatientID PatientBirthDate PatientSex StudyInstanceUID StudyID "
    "NumberOfStudyRelatedSeries NumberOfStudyRelatedInstances",
    Level.SERIES: "SpecificCharacterSet Modality SeriesDescription SeriesInstanceUID SeriesNumber "
    "NumberOfSeriesRelatedInstances StudyInstanceUID",
    Level.IMAGE: "SpecificCharacterSet SOPClassUID SOPInstanceUID InstanceAvailability InstanceNumber Rows Columns "
    "NumberOfFrames StudyInstanceUID SeriesInstanceUID",
}
"""What each result has (PS3.18 tables 10.6.3-3 to -5), as far as the lake keeps it; and the UIDs above it."""
_TAG = re.compile(r"[0-9A-Fa-f]{8}")


@dataclass(frozen=True, slots=True)
class Search:
    """What is asked for."""

    level: Level
    keys: Mapping[str, str]
    """Values to match, by keyword."""
    returned: frozenset[str]
    """Keywords that each result has."""
    limit: int = USUAL
    offset: int = 0
    warnings: tuple[str, ...] = ()
    """What of it is not done, in the standard's words where it has some."""


@dataclass
class _Read:
    """The parameters of a search while they are read."""

    keys: dict[str, str] = field(default_factory=dict)
    included: set[str] = field(default_factory=set)
    numbers: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def known(level: Level) -> dict[str, tuple[Level, Attribute]]:
    """Give what a result of a level can have, by keyword, and whose column it is: its own before that of one above."""
    found: dict[str, tuple[Level, Attribute]] = {}
    for one in reversed(LEVELS[: LEVELS.index(level) + 1]):
        for key in CATALOGUE[one]:
            found.setdefault(key.keyword, (one, key))
    return found


def read_search(level: Level, above: Sequence[str], parameters: Iterable[tuple[str, str]]) -> Search:
    """Read the parameters of a search; `above` are the UIDs in its path. UserError for what no search has."""
    read, here = _Read(), known(level)
    for name, value in parameters:
        _read_parameter(read, name, value, here)
    read.keys.update(zip((one.unique_key for one in LEVELS), above, strict=False))
    usual = set(_RETURNED[level].split())
    for one in LEVELS[len(above) : LEVELS.index(level)]:  # a search beside the hierarchy says what it found it in
        usual |= set(_RETURNED[one].split())
    return Search(
        level,
        read.keys,
        frozenset(usual | read.included | set(read.keys)),
        min(read.numbers.get("limit", USUAL), MOST),
        read.numbers.get("offset", 0),
        tuple(read.warnings),
    )


def metadata_of(uids: Sequence[str]) -> Search:
    """Ask for all that is known of the instances of a study, of a series, or of one instance."""
    keys = dict(zip((one.unique_key for one in LEVELS), uids, strict=False))
    return Search(Level.IMAGE, keys, frozenset(known(Level.IMAGE)), MOST_INSTANCES)


def statement(search: Search) -> Condition:
    """Give the SELECT that finds one result more than the limit. UserError for a value that a key does not allow."""
    here, uid = known(search.level), search.level.unique_key
    tables = {here[name][0] for name in (*search.returned, *search.keys)} | {search.level}
    columns = ", ".join(f'{_column(here[name])} AS "{name}"' for name in sorted(search.returned))
    wanted = joined(condition(here[name][1], value, _column(here[name])) for name, value in search.keys.items())
    own = _TABLES[search.level]
    joins = "".join(
        f" JOIN {_TABLES[one]} USING (pacs, {', '.join(above.unique_key for above in LEVELS[: LEVELS.index(one) + 1])})"
        for one in LEVELS
        if one in tables and one is not search.level
    )
    newest = f'row_number() OVER (PARTITION BY {own}."{uid}" ORDER BY {own}.changed_at DESC, {own}.pacs) = 1'
    return Condition(
        f"SELECT {columns} FROM {own}{joins} WHERE {wanted.sql} QUALIFY {newest}"
        f' ORDER BY {own}."{uid}" LIMIT {search.limit + 1} OFFSET {search.offset}',
        wanted.parameters,
    )


def _column(found: tuple[Level, Attribute]) -> str:
    level, key = found
    return f'{_TABLES[level]}."{key.keyword}"'


def _read_parameter(read: _Read, name: str, value: str, here: Mapping[str, tuple[Level, Attribute]]) -> None:
    if name in ("limit", "offset"):
        if not re.fullmatch(r"[0-9]{1,9}", value):
            raise UserError(f"{name} must be a whole number")
        read.numbers[name] = int(value)
    elif name == "fuzzymatching":
        if value not in ("true", "false"):
            raise UserError("fuzzymatching must be true or false")
        read.warnings += [NO_FUZZY] * (value == "true")
    elif name == "includefield":
        for one in value.split(","):
            read.included |= set(here) if one == "all" else {_keyword(one)} & set(here)
    else:
        keyword = _keyword(name)
        if keyword in here and can_match(here[keyword][1]):
            lists = here[keyword][1].vr == "UI" or here[keyword][1].listed
            read.keys[keyword] = value.replace(",", "\\") if lists else value
        else:
            read.warnings.append(f"The following attributes are not supported as matching parameters: {keyword}")


def _keyword(name: str) -> str:
    """Give the keyword of an attribute that is named by keyword or tag. UserError where there is none."""
    found = keyword_for_tag(int(name, 16)) if _TAG.fullmatch(name) else name
    if not found or tag_for_keyword(found) is None:
        raise UserError("a parameter is no keyword and no tag of DICOM, as StudyDate or 00080020")
    return found
