"""What is fuzzed, by name: each takes any bytes, and raises nothing unless something is wrong. Pure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.fuzz import datasets, lake, network, people

Target = Callable[[bytes], None]

TARGETS: dict[str, Target] = {
    target.__name__: target
    for target in (
        network.pdus,
        network.answers,
        network.commands,
        network.requests,
        network.agreements,
        datasets.identifiers,
        datasets.dicom_json,
        datasets.objects,
        lake.commits,
        lake.audit,
        people.settings,
        people.recipes,
        people.lists,
        people.keys,
        people.queries,
        people.sql,
        people.live,
    )
}

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
CRASHES = HERE / "crashes"
SHORTEST = 4
"""Bytes that a target may take for choices; shorter inputs get zeros."""


def run(name: str, data: bytes) -> None:
    """Give bytes to a target."""
    TARGETS[name](data.ljust(SHORTEST, b"\0"))
