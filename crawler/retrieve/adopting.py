"""Files that have their place and are on no record: who received them was killed before it told. Touches: disk."""

from __future__ import annotations

from hashlib import file_digest
from pathlib import Path

from crawler.retrieve.expectation import Expectation
from crawler.retrieve.header import HEAD
from crawler.retrieve.instance import SUCCESS, Instance, Kept, Outcome
from crawler.retrieve.layout import place_of

_ANY = Expectation(accept_unsolicited=True)
_BEFORE_DATASET = 144
"""Bytes of preamble, prefix and group length, which does not count them (PS3.10 7.1)."""


def adopted(store: Path, sop_instance: str, source_ae: str) -> Kept | None:
    """Give what lies at an instance's own place as if it had come now; None where that is another instance.

    Raises OSError.
    """
    from pydicom.filereader import read_file_meta_info

    place = place_of(sop_instance)
    with (store / place).open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
        size = file.tell()
        meta = read_file_meta_info(store / place)
        file.seek(_BEFORE_DATASET + meta.FileMetaInformationGroupLength)
        head = file.read(HEAD)
    sop_class, syntax = str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)
    instance = Instance(sop_class, sop_instance, syntax, source_ae)
    if instance.judge(head, _ANY) != SUCCESS:
        return None
    return Kept(instance, place, Outcome.STORED, size, digest)
