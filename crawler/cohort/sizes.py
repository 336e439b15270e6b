"""How many bytes a cohort will be, about: C-FIND tells of instances and not of bytes. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from crawler.cohort.totals import Load

MEGABYTE = 1_000_000
USUAL = {
    "CT": 0.53,  # 512 x 512, two bytes
    "MR": 0.3,  # 384 x 384, two bytes
    "PT": 0.08,  # 200 x 200, two bytes
    "NM": 1.0,  # some frames of 256 x 256
    "CR": 10.0,  # 2,000 x 2,500, two bytes
    "DX": 15.0,  # 2,500 x 3,000, two bytes
    "MG": 27.0,  # 3,300 x 4,100, two bytes
    "IO": 2.5,
    "PX": 7.0,
    "US": 2.4,  # one picture of 1,024 x 768 in colour; clips are larger
    "XA": 30.0,  # 30 frames of 1,000 x 1,000
    "RF": 10.0,
    "OP": 12.0,
    "OPT": 20.0,
    "ES": 2.0,
    "XC": 10.0,
    "SM": 200.0,
    "SEG": 5.0,
    "RTDOSE": 5.0,
    "RTSTRUCT": 2.0,
    "ECG": 0.3,
    "DOC": 1.0,
    "SR": 0.05,
    "PR": 0.05,
    "KO": 0.01,
}
"""Megabytes of one instance, uncompressed, by modality: what matrices in common use come to."""
OTHERWISE = 1.0
"""For modalities that are not listed, or not known."""


def size_of(loads: Iterable[Load]) -> float:
    """Give the bytes that so many instances of each modality usually have."""
    return sum(load.instances * USUAL.get(load.modality, OTHERWISE) for load in loads) * MEGABYTE
