"""Nothing that was planted survives: every attribute of the profile, at every depth, in every encoding."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydicom import Dataset
from pydicom.config import disable_value_validation

from crawler.deid.engine import Engine
from crawler.deid.pseudonyms import Pseudonyms
from crawler.deid.recipe import read_recipe
from crawler.deid.table import DEVICE_IDENTITY, PATIENT_CHARACTERISTICS, PROFILE, vr_of
from tests.property.deid.planted import (
    DEPTHS,
    SYNTAXES,
    as_bytes,
    as_dataset,
    level,
    malformed,
    wellformed,
)

PSEUDONYMS = Pseudonyms(bytes(32))
REPEATING = [0x5004_3000, 0x50FE_2500, 0x6000_3000, 0x601E_4000, 0x6002_0022]
# Groups below 0008 are those of messages and of file meta information: a dataset of a file has none.
TAGS = sorted(tag for tag in PROFILE if tag >> 16 >= 0x0008) + REPEATING
KEPT = {"basic": frozenset[int](), "research": PATIENT_CHARACTERISTICS | DEVICE_IDENTITY}
VALUES = {"malformed": malformed, "wellformed": wellformed}


def texts(dataset: Dataset) -> Iterator[str]:
    for one in dataset:
        if one.VR == "SQ":
            for item in one.value:
                yield from texts(item)
        else:
            yield str(one.value)


@pytest.mark.parametrize("recipe", ["basic", "research"])
@pytest.mark.parametrize("form", VALUES)
@pytest.mark.parametrize("encoding", SYNTAXES)
def test_no_planted_value_of_the_profile_survives(encoding: str, form: str, recipe: str) -> None:
    syntax, value_of = SYNTAXES[encoding], VALUES[form]
    body = level(TAGS, 1, value_of, syntax)
    assert len(TAGS) > 650
    assert all(value_of(tag, depth) in body for tag in TAGS for depth in range(1, DEPTHS + 1))
    dataset = as_dataset(body, syntax)

    Engine(read_recipe(recipe), PSEUDONYMS).apply(dataset, "someone")
    written = as_bytes(dataset)
    with disable_value_validation():
        parsed = "\n".join(texts(dataset))
    # Times of day are kept by the option for modified dates.
    searched = [tag for tag in TAGS if tag not in KEPT[recipe] and (recipe == "basic" or vr_of(tag) != "TM")]
    survivors = [
        (f"{tag:08X}", depth)
        for depth in range(1, DEPTHS + 1)
        for tag in searched
        if value_of(tag, depth) in written or value_of(tag, depth).decode() in parsed
    ]
    assert not survivors
    assert b"QZpreamble" not in written
