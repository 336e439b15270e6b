"""The keys of a question as people type them. Pure.

`Keyword=value` matches, `Keyword` alone asks to be told, `Keyword=` takes back what matched before. A tag may stand for
a keyword, as `(gggg,eeee)`, `gggg,eeee` or `ggggeeee`; points lead into sequences, whose item is the first unless `[n]`
says otherwise.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import NamedTuple

from pydicom.datadict import keyword_dict, keyword_for_tag, tag_for_keyword

from crawler.asking.tree import DEEPEST, Field, Tree, vr_of
from crawler.errors import UserError

MOST_ITEMS = 100
_STEP = re.compile(r"(?P<name>[^\[\]]+)(?:\[(?P<item>[0-9]{1,6})\])?")
_TAG = re.compile(r"\(([0-9a-fA-F]{4}),([0-9a-fA-F]{4})\)|([0-9a-fA-F]{4}),?([0-9a-fA-F]{4})")
_UNASKED = frozenset((0x0000, 0x0002, 0xFFFE))
"""Groups of commands, of files and of delimiters."""


class Step(NamedTuple):
    """One step into a dataset: an attribute, and of a sequence the item."""

    tag: int
    item: int | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """One key: the way to its attribute, and the value to match; None where it only asks to be told."""

    path: tuple[Step, ...]
    value: str | None = None

    @property
    def tags(self) -> tuple[int, ...]:
        """The tags on its way, its own last."""
        return tuple(step.tag for step in self.path)

    def __str__(self) -> str:
        names = ".".join(name_of(step.tag) + ("" if step.item is None else f"[{step.item}]") for step in self.path)
        return names if self.value is None else f"{names}={self.value}"


def name_of(tag: int) -> str:
    """Give the keyword of a tag, or the tag as `gggg,eeee` where PS3.6 has none."""
    return keyword_for_tag(tag) or f"{tag >> 16:04x},{tag & 0xFFFF:04x}"


def read_key(text: str) -> Key:
    """Read a key. Raises UserError, which suggests the keyword that was meant."""
    way, equals, value = text.partition("=")
    steps = tuple(_step(step.strip(), text) for step in way.split("."))
    if len(steps) > DEEPEST:
        raise UserError(f"{len(steps)} steps are more than a key can have")
    for step in steps[:-1]:
        if vr_of(step.tag) not in ("SQ", "UN"):
            raise UserError(f"{text.partition('=')[0]}: {name_of(step.tag)} is no sequence, nothing lies in it")
    last = steps[-1]
    is_sequence = vr_of(last.tag) == "SQ"
    if last.item is not None and not is_sequence:
        raise UserError(f"{way}: {name_of(last.tag)} is no sequence and has no items")
    if is_sequence and value:
        raise UserError(f"{way} is a sequence: name what shall match in it, as {way}.Keyword=value")
    return Key(steps, value if equals else None)


def put(tree: Tree, key: Key) -> None:
    """Put a key into a question. Only one with a value, be it empty, changes what is there already."""
    *above, last = key.path
    for step in above:
        tree = _item(tree, step)
    if last.item is not None:
        _item(tree, last)
    elif key.value is not None or last.tag not in tree:
        is_sequence = vr_of(last.tag) == "SQ"
        tree[last.tag] = Field("SQ", []) if is_sequence else Field(_asked_vr(last.tag, tree), key.value or "")


def _item(tree: Tree, step: Step) -> Tree:
    """Give the item that a step leads to, made where it is missing."""
    field = tree.get(step.tag)
    items = field.value if field is not None and not isinstance(field.value, str) else []
    tree[step.tag] = Field("SQ", items)
    while len(items) <= (step.item or 0):
        items.append({})
    return items[step.item or 0]


def _asked_vr(tag: int, tree: Tree) -> str:
    """Give the VR in which an attribute is asked for; of what PS3.6 does not know nearly everything is text."""
    before = tree.get(tag)
    vr = before.vr if before is not None and before.vr != "SQ" else vr_of(tag)
    return "LO" if vr == "UN" else vr


def _step(text: str, whole: str) -> Step:
    found = _STEP.fullmatch(text)
    if found is None:
        raise UserError(f"{whole!r} is no key: type Keyword=value, Keyword, or a tag as 0010,0020")
    item = None if found["item"] is None else int(found["item"])
    if item is not None and item >= MOST_ITEMS:
        raise UserError(f"{text}: items are counted from 0, and {MOST_ITEMS} are enough")
    tag = _tag(found["name"].strip())
    if tag >> 16 in _UNASKED or not tag & 0xFFFF:
        raise UserError(f"{text} cannot be asked for")
    return Step(tag, item)


def _tag(name: str) -> int:
    if written := _TAG.fullmatch(name):
        group, number = (written[1], written[2]) if written[1] else (written[3], written[4])
        return int(group, 16) << 16 | int(number, 16)
    tag = tag_for_keyword(name)
    if tag is None:
        raise UserError(f"there is no attribute {name!r}; {_suggestion(name)}")
    return tag


def _suggestion(name: str) -> str:
    """Suggest what was meant; who types `study_date` is nearer than difflib sees."""
    plain = {keyword.lower(): keyword for keyword in keyword_dict}
    same = plain.get(re.sub(r"[\W_]", "", name).lower())
    near = [same] if same else difflib.get_close_matches(name, keyword_dict, n=1)
    return f"did you mean {near[0]!r}?" if near else "type a keyword of DICOM, or a tag as 0010,0020"
