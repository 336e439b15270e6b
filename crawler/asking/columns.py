"""The columns in which answers to a question are shown: those of the lake where it has them. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from pydicom.datadict import dictionary_has_tag, dictionary_VM

from crawler.asking.keys import name_of
from crawler.asking.question import Question
from crawler.asking.tree import SPECIFIC_CHARACTER_SET, vr_of
from crawler.columns import CATALOGUE, Attribute, Phi
from crawler.model import HIERARCHY, Level

_LEVELS = (*HIERARCHY, Level.WORKLIST)


def attributes_of(question: Question) -> tuple[Attribute, ...]:
    """Give the attributes to decode: SpecificCharacterSet, then what is shown, in the order typed."""
    known = _catalogue(question.level)
    charset = known[f"{SPECIFIC_CHARACTER_SET:08x}"]
    asked = [_attribute(key.tags, question.vrs, known) for key in question.keys]
    return (charset, *(one for one in asked if one.label != charset.label))


def _catalogue(level: Level) -> dict[str, Attribute]:
    """Give what the lake knows by label; where levels differ, this one's counts."""
    levels: Iterable[Level] = (*(one for one in _LEVELS if one is not level), level)
    return {key.label: key for one in levels for key in CATALOGUE[one] if not key.creator}


def _attribute(tags: tuple[int, ...], vrs: dict[int, str], known: dict[str, Attribute]) -> Attribute:
    label = ".".join(f"{tag:08x}" for tag in tags)
    if label in known:
        return known[label]
    *path, tag = tags
    name = "_".join(name_of(one) for one in tags)
    vr = vr_of(tag) if path or vr_of(tag) != "UN" else vrs[tag]
    multi = vr != "SQ" and not path and dictionary_has_tag(tag) and dictionary_VM(tag) != "1"
    return Attribute(name, tag, "LO" if vr == "UN" else vr, Phi.DIRECT, name, multi=multi, path=tuple(path))
