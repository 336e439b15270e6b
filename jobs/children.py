"""Whose rows an answer about many parents has. Touches: the publisher's thread."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from crawler.decode.decode import decode
from crawler.model import Identifiers, Level
from jobs.publish import PARENT_KEYS, Child, Publisher

Parent = tuple[str, ...]


async def by_parent(publisher: Publisher, level: Level, batches: Sequence[Identifiers]) -> dict[Parent, list[Child]]:
    """Part an answer by the parents that its rows name, whichever these are; a key that a row lacks is empty."""
    found: dict[Parent, list[Child]] = {}
    for batch in batches:
        named = await publisher.read(partial(_parents, batch, level))
        rows: dict[Parent, list[bytes]] = {}
        for parent, start, end in zip(named, batch.starts, batch.ends, strict=True):
            rows.setdefault(parent, []).append(bytes(batch.data[start:end]))
        for parent, datasets in rows.items():
            child = Child(parent, Identifiers.of(datasets, explicit_vr=batch.explicit_vr))
            found.setdefault(parent, []).append(child)
    return found


def _parents(batch: Identifiers, level: Level) -> list[Parent]:
    rows = decode(batch, level)
    columns = ([uid or "" for uid in rows[keyword].to_pylist()] for keyword in PARENT_KEYS[level])
    return list(zip(*columns, strict=True))
