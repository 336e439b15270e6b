"""Which objects a PACS may send in a C-GET: presentation contexts, of which an association has 128 at most. Pure.

Each compressed transfer syntax has a context of its own, so that what is compressed comes as it is; a PACS that had
the choice among several would convert. That makes eleven contexts for a SOP class with images: not all classes fit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from crawler.pacs.negotiation import EXPLICIT_VR, IMPLICIT_VR, Agreement
from crawler.retrieve.layout import is_uid

MOST_CONTEXTS = 122
"""128 (PS3.8 9.3.2.2), less those of C-ECHO, C-FIND and C-GET in two transfer syntaxes each."""

_PLAIN = (EXPLICIT_VR, IMPLICIT_VR)
_COMPRESSED = (
    "1.2.840.10008.1.2.4.70",  # JPEG Lossless, first-order prediction
    "1.2.840.10008.1.2.4.90",  # JPEG 2000 Lossless
    "1.2.840.10008.1.2.4.50",  # JPEG Baseline
    "1.2.840.10008.1.2.5",  # RLE
    "1.2.840.10008.1.2.4.91",  # JPEG 2000
    "1.2.840.10008.1.2.4.80",  # JPEG-LS Lossless
    "1.2.840.10008.1.2.4.51",  # JPEG Extended
    "1.2.840.10008.1.2.4.57",  # JPEG Lossless
    "1.2.840.10008.1.2.4.81",  # JPEG-LS near-lossless
    "1.2.840.10008.1.2.4.201",  # HTJ2K Lossless
)
"""The most usual first."""
_VIDEO = (
    "1.2.840.10008.1.2.4.100",  # MPEG2 Main Level
    "1.2.840.10008.1.2.4.101",  # MPEG2 High Level
    "1.2.840.10008.1.2.4.102",  # MPEG-4 AVC/H.264 4.1
    "1.2.840.10008.1.2.4.103",
    "1.2.840.10008.1.2.4.104",
    "1.2.840.10008.1.2.4.107",  # HEVC/H.265
)

_CLASS = "1.2.840.10008.5.1.4.1.1."
_SECONDARY_CAPTURE = "7"
_OF_MODALITY = {
    "CT": ("2", "2.1"),
    "MR": ("4", "4.1", "4.3", "4.2"),
    "PT": ("128", "130"),
    "NM": ("20",),
    "US": ("6.1", "3.1", "6.2"),
    "CR": ("1", "1.1"),
    "DX": ("1.1", "1.1.1", "1"),
    "MG": ("1.2", "1.2.1", "13.1.3", "1", "13.1.4"),
    "IO": ("1.3", "1.3.1"),
    "XA": ("12.1", "12.1.1", "13.1.1"),
    "RF": ("12.2", "12.2.1"),
    "SC": ("7.2", "7.3", "7.4", "7.1"),
    "OT": ("7.2", "7.3", "7.4", "7.1", "66"),
    "ES": ("77.1.1", "77.1.1.1"),
    "GM": ("77.1.2", "77.1.2.1"),
    "SM": ("77.1.3", "77.1.6"),
    "XC": ("77.1.4", "77.1.4.1"),
    "OP": ("77.1.5.1", "77.1.5.2"),
    "OPT": ("77.1.5.4",),
    "SR": ("88.11", "88.22", "88.33", "88.34", "88.50", "88.67"),
    "KO": ("88.59",),
    "PR": ("11.1", "11.2"),
    "DOC": ("104.1", "104.2"),
    "SEG": ("66.4",),
    "REG": ("66.1", "66.3"),
    "RTIMAGE": ("481.1",),
    "RTDOSE": ("481.2",),
    "RTSTRUCT": ("481.3",),
    "RTPLAN": ("481.5", "481.8"),
    "RTRECORD": ("481.4", "481.6", "481.7", "481.9"),
    "ECG": ("9.1.1", "9.1.2"),
}
"""Ends of the SOP Class UIDs that a modality's series have; secondary captures are in series of any."""
_USUAL = (
    *("CT", "MR", "CR", "DX", "US", "MG", "PT", "NM", "XA", "RF", "SR", "KO", "PR", "DOC", "SC"),
    *("RTSTRUCT", "RTDOSE", "RTPLAN", "RTIMAGE", "SEG", "REG"),
)
_WITHOUT_IMAGES = (
    *("4.2", "9.", "11.", "66.1", "66.2", "66.3", "67", "88.", "104."),
    *("481.3", "481.4", "481.5", "481.6", "481.7", "481.8", "481.9"),
)
"""How the ends of UIDs begin that need no compressed transfer syntax."""
_WITH_VIDEO = ("77.1.1.1", "77.1.2.1", "77.1.4.1", "77.1.1", "77.1.4", "3.1")


@dataclass(frozen=True, slots=True)
class Offer:
    """SOP classes, each with the transfer syntaxes of one context."""

    contexts: tuple[tuple[str, tuple[str, ...]], ...]

    @staticmethod
    def of(sop_classes: Iterable[str] = (), modalities: Iterable[str] = ()) -> Offer:
        """Offer the SOP classes asked for, as IMAGE-level answers name them, and those that modalities have.

        What a PACS names as a class and is no UID cannot be offered.
        What room is left goes to the most usual ones: all of them uncompressed, then compressed.
        """
        asked = dict.fromkeys(filter(is_uid, sop_classes))
        asked |= dict.fromkeys(_classes_of(modalities))
        usual = dict.fromkeys(_classes_of(_USUAL))
        pairs = dict.fromkeys((*_pairs(asked), *_pairs(usual)))
        return Offer(tuple(islice(pairs, MOST_CONTEXTS)))

    def refused(self, agreement: Agreement) -> tuple[str, ...]:
        """Give the SOP classes offered that the PACS will not send, in no transfer syntax at all."""
        accepted = {context.abstract_syntax for context in agreement.contexts.values()} & agreement.served
        return tuple(uid for uid in dict.fromkeys(uid for uid, _ in self.contexts) if uid not in accepted)


def _classes_of(modalities: Iterable[str]) -> list[str]:
    ends = [end for modality in modalities for end in (*_OF_MODALITY.get(modality, ()), _SECONDARY_CAPTURE)]
    return [_CLASS + end for end in ends]


def _pairs(sop_classes: Iterable[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Give the contexts of some SOP classes, those first without which nothing of a class could come."""
    classes = list(sop_classes)
    plain = [(uid, _PLAIN) for uid in classes]
    images = [uid for uid in classes if not uid.removeprefix(_CLASS).startswith(_WITHOUT_IMAGES)]
    videos = [uid for uid in classes if uid.removeprefix(_CLASS) in _WITH_VIDEO]
    compressed = [(uid, (syntax,)) for syntax in _COMPRESSED for uid in images]
    return [*plain, *compressed, *((uid, (syntax,)) for syntax in _VIDEO for uid in videos)]
