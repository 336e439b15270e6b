"""What an object is, by its SOP class (PS3.4 B.5). Pure."""

from __future__ import annotations

from enum import StrEnum
from functools import cache

from pydicom.uid import UID

STORAGE = "1.2.840.10008.5.1.4.1.1."


class Kind(StrEnum):
    """A kind of object, by the word with which a recipe includes it."""

    IMAGE = "images"
    CAPTURE = "captures"
    ULTRASOUND = "ultrasound"
    PHOTOGRAPH = "photographs"
    DOCUMENT = "documents"
    REPORT = "reports"
    KEY_OBJECTS = "key_objects"
    PRESENTATION_STATE = "presentation_states"
    WAVEFORM = "waveforms"
    SEGMENTATION = "segmentations"
    REGISTRATION = "registrations"
    RADIOTHERAPY = "radiotherapy"
    OTHER = "other"
    """Everything else that the standard defines, and that nobody took for an image: raw data, protocols, meshes."""


SEEN = frozenset((Kind.IMAGE, Kind.CAPTURE, Kind.ULTRASOUND, Kind.PHOTOGRAPH))
"""Kinds that people look at as pictures, and whose pixels may show a name."""

_CLASSES = {
    Kind.IMAGE: (
        *("1", "1.1", "1.1.1", "1.2", "1.2.1", "1.3", "1.3.1", "2", "2.1", "2.2", "4", "4.1", "4.3", "4.4", "5", "20"),
        *("12.1", "12.1.1", "12.2", "12.2.1", "12.3", "13.1.1", "13.1.2", "13.1.3", "13.1.4", "13.1.5"),
        *("14.1", "14.2", "30", "128", "128.1", "130", "481.1", "481.23", "481.24"),
    ),
    Kind.CAPTURE: ("7", "7.*"),
    Kind.ULTRASOUND: ("3", "3.1", "6", "6.*"),
    Kind.PHOTOGRAPH: ("77.*", "81.1", "82.1"),
    Kind.DOCUMENT: ("104.*",),
    Kind.KEY_OBJECTS: ("88.59",),
    Kind.REPORT: ("88.*", "78.*", "79.1", "80.1", "90.1"),
    Kind.PRESENTATION_STATE: ("8", "10", "11", "11.*", "131"),
    Kind.WAVEFORM: ("9", "9.*", "129"),
    Kind.SEGMENTATION: ("66.4", "66.5", "66.7", "66.8"),
    Kind.REGISTRATION: ("66.1", "66.2", "66.3"),
    Kind.RADIOTHERAPY: ("481.*",),
}
"""The ends of UIDs below `STORAGE`; what ends in `.*` stands for all below it. The first that fits counts."""

OF_MODALITY = {
    "CT": ("2", "2.1", "2.2"),
    "MR": ("4", "4.1", "4.4"),
    "PT": ("128", "128.1", "130"),
    "NM": ("20",),
    "CR": ("1",),
    "DX": ("1.1", "1.1.1"),
    "MG": ("1.2", "1.2.1", "13.1.3", "13.1.4", "13.1.5"),
    "IO": ("1.3", "1.3.1"),
    "XA": ("12.1", "12.1.1", "13.1.1"),
    "RF": ("12.2", "12.2.1"),
}
"""The SOP classes in which scanners of a modality send what they saw, as ends of UIDs."""


@cache
def kind_of(sop_class: str) -> Kind | None:
    """Give the kind of a SOP class, None for one that is no storage class of the standard or is unknown here."""
    if not sop_class.startswith(STORAGE) or not _is_known(sop_class):
        return None
    end = sop_class.removeprefix(STORAGE)
    for kind, classes in _CLASSES.items():
        if end in classes or any(one.endswith(".*") and end.startswith(one[:-1]) for one in classes):
            return kind
    return Kind.OTHER


def called(uid: str) -> str:
    """Name a UID as the standard does. Of another one nothing is told: it may hold anything."""
    return UID(uid).name if _is_known(uid) else "unknown to the standard"


def _is_known(uid: str) -> bool:
    return UID(uid).name != uid
