"""The question of a C-MOVE or C-GET: a level and unique keys (PS3.4 C.4.2.1.4, C.4.3.1.3). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from crawler.errors import RefusedError
from crawler.model import HIERARCHY, Level, Model
from crawler.pacs.identifier import Element
from crawler.retrieve.track import Fetch

MOST_KEYS = 100
"""UIDs in one request: 6.4 KB at most, below the smallest PDUs in use and the length of SQL lists of any database."""

_TAGS = {
    "PatientID": (0x0010_0020, "LO"),
    "StudyInstanceUID": (0x0020_000D, "UI"),
    "SeriesInstanceUID": (0x0020_000E, "UI"),
    "SOPInstanceUID": (0x0008_0018, "UI"),
}
_LEVEL = (0x0008_0052, "CS")
_CHARACTER_SET = (0x0008_0005, "CS", b"ISO_IR 192")
_LONGEST = 0xFFFE
"""A UI of Explicit VR has a length of two bytes (PS3.5 7.1.2)."""
_ONE_VALUE = {"UI": re.compile(r"[!-)+->@-\[\]-~]{1,64}"), "LO": re.compile(r"[^\\*?\x00-\x1f]{1,64}")}
"""What may stand as one value: no separator, and no wildcard, since a PACS might send all that it matches."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which objects a PACS is asked for: all below the entities of one level that `keys` name.

    As `Wanted(Model.STUDY_ROOT, Level.SERIES, ("1.2.3.4",), {"StudyInstanceUID": "1.2.3"})`.
    """

    model: Model
    level: Level
    keys: tuple[str, ...]
    """Values of the level's unique key; several only where that is a UID."""
    parents: Mapping[str, str] = field(default_factory=dict)
    """The unique key of every level above."""

    def elements(self) -> tuple[Element, ...]:
        """Give the identifier. Raises RefusedError when a key's value cannot be asked for."""
        above = [level.unique_key for level in HIERARCHY[self._top : HIERARCHY.index(self.level)]]
        if missing := [key for key in above if key not in self.parents]:
            raise ValueError(f"{self.level} level needs {', '.join(missing)}")
        named = {key: (self.parents[key],) for key in above} | {self.level.unique_key: self.keys}
        elements: list[Element] = [(*_LEVEL, self.level.query_retrieve_level.encode("ascii"))]
        for keyword, values in named.items():
            tag, vr = _TAGS[keyword]
            if not all(_ONE_VALUE[vr].fullmatch(value) for value in values) or not values:
                raise RefusedError(f"the {keyword} that the PACS gave cannot be asked for: it breaks DICOM's rules")
            encoded = "\\".join(values).encode()
            if len(encoded) > _LONGEST or (vr != "UI" and len(values) > 1):
                raise ValueError(f"{len(values)} values of {keyword} are too many for one request")
            if not encoded.isascii():
                elements.append(_CHARACTER_SET)
            elements.append((tag, vr, encoded))
        return tuple(elements)

    def parts(self, most: int = MOST_KEYS) -> Iterator[Wanted]:
        """Give requests of so many keys each."""
        for at in range(0, len(self.keys), most):
            yield replace(self, keys=self.keys[at : at + most])

    @property
    def _top(self) -> int:
        return HIERARCHY.index(Level.STUDY if self.model is Model.STUDY_ROOT else Level.PATIENT)


def wanted_by(model: Model, fetch: Fetch) -> Wanted:
    """Give the question of a task of the order machine."""
    item = fetch.item
    above = {} if model is Model.STUDY_ROOT else {"PatientID": item.patient_id or ""}
    parents = {**above, "StudyInstanceUID": item.study_uid}
    if not fetch.instances:
        return Wanted(model, Level.SERIES, (item.uid,), parents)
    return Wanted(model, Level.IMAGE, fetch.instances, {**parents, "SeriesInstanceUID": item.uid})
