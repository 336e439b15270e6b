"""Each target takes its corpus, and what once broke it, without a word; `make fuzz` looks for more."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.targets import CORPUS, CRASHES, TARGETS, run

LARGEST = 16 * 1024
"""Bytes of a target's corpus: it is there to begin with, not to be complete."""


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("path", [*files(CORPUS), *files(CRASHES)], ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_target_takes_it(path: Path) -> None:
    run(path.parent.name, path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_takes_nothing_and_cut_files(name: str) -> None:
    run(name, b"")
    for path in files(CORPUS / name):
        content = path.read_bytes()
        for end in range(0, len(content), len(content) // 7 + 1):
            run(name, content[:end])


def test_each_target_has_a_small_corpus_and_no_other_has() -> None:
    sizes = {folder.name: sum(path.stat().st_size for path in files(folder)) for folder in CORPUS.iterdir()}
    assert sizes.keys() == TARGETS.keys()
    assert max(sizes.values()) <= LARGEST
