"""Where an instance lies in a store: by a hash of its UID, or by checked UIDs, so that no peer names a path. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import sha256

SPOOL = ".incoming"
"""Folder of the files that are not yet known to be on disk; no shard has such a name."""
Layout = Callable[[str, str, str], str]
"""Gives the path of an instance relative to the store, by the UIDs of its study, its series and its own."""
_NAMELESS = "other"
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


def by_hash(_study: str, _series: str, instance: str) -> str:
    """Lay instances out as a lake's store has them."""
    return place_of(instance)


def by_series(study: str, series: str, instance: str) -> str:
    """Lay them out for people: a folder for each study, in it one for each series."""
    return "/".join(uid if is_uid(uid) else _NAMELESS for uid in (study, series, instance)) + ".dcm"


def place_beside(place: str, digest: str) -> str:
    """Give the path for other bytes of the same instance: the same ones always get the same."""
    return f"{place.removesuffix('.dcm')}-{digest[:16]}.dcm"
