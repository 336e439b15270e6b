"""Runs of keys against a plain dict, with hashes from so small a range that every kind of meeting happens."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from crawler.lake.runs import HASH, HIGH, LOW, Run, RunStack, empty_run, last_of_each, look_up, merge, merge_in_parts

Pair = tuple[int, int]
PAIRS = st.tuples(st.integers(0, 3), st.integers(0, 3))
LARGE = st.sampled_from([0, 1, 2**63 - 1, 2**63, 2**64 - 1])
CONTENTS = st.dictionaries(st.tuples(LARGE, LARGE) | PAIRS, st.integers(0, 9))


def run_of(content: dict[Pair, int]) -> Run:
    run = empty_run(len(content))
    for at, ((high, low), value) in enumerate(sorted(content.items())):
        run[:, at] = (high, low, value, value, value)
    return run


def content_of(run: Run) -> dict[Pair, int]:
    keys = list(zip(run[HIGH].tolist(), run[LOW].tolist(), strict=True))
    assert keys == sorted(set(keys))
    return dict(zip(keys, run[HASH].tolist(), strict=True))


@given(CONTENTS, CONTENTS, st.integers(1, 5))
def test_merging_is_updating_a_dict(older: dict[Pair, int], newer: dict[Pair, int], part: int) -> None:
    expected = {**older, **newer}
    assert content_of(merge(run_of(older), run_of(newer))) == expected
    parts = list(merge_in_parts(run_of(older), run_of(newer), part))
    assert content_of(np.concatenate(parts, axis=1)) == expected


@given(st.lists(CONTENTS, max_size=6), st.lists(PAIRS, max_size=12))
def test_looking_up_finds_the_newest(contents: list[dict[Pair, int]], wanted: list[Pair]) -> None:
    truth = {key: value for content in contents for key, value in content.items()}
    keys = [*wanted, *truth]
    high, low = (np.array([key[part] for key in keys], np.uint64) for part in (0, 1))
    known, entries = look_up([run_of(content) for content in contents], high, low)
    assert known.tolist() == [key in truth for key in keys]
    assert entries[HASH][known].tolist() == [truth[key] for key in keys if key in truth]


@given(st.lists(PAIRS, max_size=30))
def test_the_last_occurrence_of_each_key_stays(keys: list[Pair]) -> None:
    high, low = (np.array([key[part] for key in keys], np.uint64) for part in (0, 1))
    expected = {key: at for at, key in enumerate(keys)}
    assert last_of_each(high, low).tolist() == [expected[key] for key in sorted(expected)]


@given(st.lists(CONTENTS, max_size=20))
def test_a_stack_holds_few_runs_and_everything(contents: list[dict[Pair, int]]) -> None:
    stack = RunStack()
    truth: dict[Pair, int] = {}
    for content in contents:
        stack.push(run_of(content))
        truth.update(content)
    lengths = [run.shape[1] for run in stack.runs]
    assert all(older > newer for older, newer in pairwise(lengths))
    assert content_of(stack.drain()) == truth
    assert not stack.runs
