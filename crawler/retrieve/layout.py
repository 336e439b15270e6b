"""Where an instance lies in the store: by a hash of its UID, so that nothing a peer says becomes a path. Pure."""

from __future__ import annotations

import re
from hashlib import sha256

SPOOL = ".incoming"
"""Folder of the files that are not yet known to be on disk; no shard has such a name."""
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")


def is_uid(text: str) -> bool:
    """Check a UID (PS3.5 9.1), but for zeros that begin a component: many archives have such, and they do no harm."""
    return len(text) <= 64 and _UID.fullmatch(text) is not None


def place_of(instance_uid: str) -> str:
    """Give the path of an instance relative to the store.

    256 shards: ten million files make 40,000 each, and making a new one for each file took longer than writing it.
    """
    name = sha256(instance_uid.encode("ascii")).hexdigest()[:32]
    return f"{name[:2]}/{name}.dcm"


def place_beside(place: str, digest: str) -> str:
    """Give the path for other bytes of the same instance: the same ones always get the same."""
    return f"{place.removesuffix('.dcm')}-{digest[:16]}.dcm"
