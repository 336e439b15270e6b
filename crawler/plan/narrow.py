"""Taking a window apart by further keys, when days and times cannot make it smaller. Pure.

Such parts never prove the whole: no C-FIND key asks for the values that nobody thought of, the empty one included.
"""

from __future__ import annotations

import re
import string
from collections.abc import Set
from dataclasses import dataclass, field, replace

from crawler.model import Window

MODALITIES = re.findall(
    r"\w+",
    """LEN CR CT DX ECG EPS ES GM HD IO IVOCT IVUS KO LS MG MR NM OAM OCT OP OPM OPT OPV OT PR PT PX REG RF RG RTDOSE
    RTIMAGE RTPLAN RTRECORD RTSTRUCT SC SEG SM SMR SR TG US VA XA XC""",
)
"""Defined terms of Modality (PS3.3 C.7.3.1.1.1) that archives hold, a very rare one first."""

PREFIXES = "Q" + string.digits + string.ascii_uppercase.replace("Q", "")
"""First characters that PatientID usually has, a rare one first."""

_VALUES = {"ModalitiesInStudy": MODALITIES, "PatientID": [f"{prefix}*" for prefix in PREFIXES]}


MOST = 25
"""Windows that are taken apart by further keys in one sweep; each takes dozens of queries and proves little."""


@dataclass
class Narrowing:
    """A window being asked for by the values of a further key; `left` of them are not settled yet.

    `probe` is the part that is asked for first, of the rarest value: a PACS that has too many answers even for it does
    not match on the key.
    """

    left: int
    probe: Window


@dataclass
class Narrowings:
    """The windows that are being taken apart by further keys, and the keys that this PACS does not match on."""

    unsupported: Set[str]
    _of: dict[Window, Narrowing] = field(default_factory=dict)

    def __contains__(self, window: Window) -> bool:
        return window in self._of

    def begin(self, window: Window) -> list[Window]:
        """Take a window apart; no parts where there is no further key, or too much was taken apart already."""
        parts = parts_of(window, self.unsupported) if len(self._of) < MOST else []
        if parts:
            self._of[window] = Narrowing(len(parts), parts[0])
        return parts

    def is_probe(self, window: Window) -> bool:
        """Whether a window is the part by which it shows that a key is ignored."""
        return any(one.probe == window for one in self._of.values())

    def ignored(self, part: Window, outstanding: int) -> list[Window]:
        """Give up the key of a part, of which so many siblings are being asked; give the parts by the next key."""
        whole = whole_of(part)
        self.unsupported |= {keyword_of(part)}
        parts = parts_of(whole, self.unsupported)
        self._of[whole] = Narrowing(1 + outstanding + len(parts), parts[0] if parts else part)
        return parts

    def settle(self, part: Window) -> bool:
        """Count a part; say whether its whole is settled with it."""
        narrowing = self._of[whole_of(part)]
        narrowing.left -= 1
        return not narrowing.left


def whole_of(part: Window) -> Window:
    """Give the window that a part by a further key belongs to."""
    whole, _, _ = (part.key or "").rpartition("&")
    return replace(part, key=whole or None)


def keyword_of(part: Window) -> str:
    """Name the key that tells a part from its siblings."""
    return list(part.conditions)[-1]


def parts_of(window: Window, unsupported: Set[str]) -> list[Window]:
    """Give a window's parts by the next further key that it does not have yet; none when there is no such key."""
    if window.undated:
        return []
    for keyword, values in _VALUES.items():
        if keyword not in window.conditions and keyword not in unsupported:
            return [window.narrowed(keyword, value) for value in values]
    return []
