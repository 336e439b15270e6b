"""No image is lost in silence, whatever the PACS does: retrievals under drawn mixtures of quirks, against the truth.

`make test` draws the same few attempts each time; PACSLAKE_SCHEDULES draws so many others, 1,000 by `make soak`.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from crawler.testing.archive import Archive
from crawler.testing.quirks import Claims, Failure, Offline, Quirks
from tests.acceptance import retrieving as replay
from tests.acceptance.retrieving import DAYS, HELD, Attempt, judge

SOAK = os.environ.get("PACSLAKE_SCHEDULES")
LONG = Archive(2, *DAYS, seed=5, series_per_study=2, rows=8, columns=6, most_images=20)
"""Series that are longer than a cap, and than what is told of at once."""
MOST_REQUESTS = 40
"""For each series and run; more is a storm."""
_KINDS: dict[str, st.SearchStrategy[dict[str, object]]] = {
    "skips": st.fixed_dictionaries({"skips_every": st.integers(1, 5), "claims": st.sampled_from(Claims)}),
    "claims": st.fixed_dictionaries({"claims": st.sampled_from(Claims)}),
    "late": st.fixed_dictionaries({"late": st.sampled_from((0.05, 0.2, 0.6))}),
    "twice": st.just({"twice": True}),
    "alters_again": st.just({"alters_again": True}),
    "sends_as": st.fixed_dictionaries({"sends_as": st.sampled_from(("OTHER", "OTHER", "STRANGER"))}),
    "never_ends": st.just({"never_ends": True}),
    "ignores_cancel": st.just({"never_ends": True, "ignores_cancel": True}),
    "offline": st.fixed_dictionaries(
        {
            "offline_every": st.integers(1, 3),
            "offline_for": st.sampled_from((0.1, 0.5, 1.5)),
            "offline": st.sampled_from(Offline),
        }
    ),
    "phantoms": st.fixed_dictionaries({"phantom_every": st.integers(1, 5)}),
    "no_series_level": st.just({"no_series_level": True}),
    "no_image_level": st.just({"no_image_level": True}),
    "no_image_queries": st.just({"no_image_queries": True}),
    "max_retrievals": st.just({"max_retrievals": 1}),
    "a702_every": st.fixed_dictionaries({"a702_every": st.integers(1, 4)}),
    "slow": st.fixed_dictionaries({"sends_per_second": st.sampled_from((10, 50))}),
    "breaks": st.fixed_dictionaries({"breaks_after": st.integers(0, 4), "failure": st.sampled_from(Failure)}),
    "cap": st.fixed_dictionaries({"cap": st.integers(10, 15)}),
    "listing_breaks": st.fixed_dictionaries({"fails_after": st.integers(0, 8), "failure": st.sampled_from(Failure)}),
    "listing_twice": st.fixed_dictionaries({"duplicate_every": st.integers(1, 3)}),
    "max_associations": st.just({"max_associations": 1}),
    "one_query": st.just({"one_query": True}),
    "max_pdu": st.fixed_dictionaries({"max_pdu": st.integers(100, 300)}),
    "explicit_vr": st.just({"explicit_vr": True}),
}


@st.composite
def attempts(draw: st.DrawFn) -> Attempt:
    """Draw one, with up to four quirks."""
    found: dict[str, object] = {}
    for kind in draw(st.lists(st.sampled_from(sorted(_KINDS)), min_size=1, max_size=4)):
        found.update(draw(_KINDS[kind]))
    return Attempt(
        Quirks(**found),  # type: ignore[arg-type]  # each value was drawn for its field
        draw(st.sampled_from((HELD, HELD, HELD, LONG))),
        draw(st.sampled_from(("move", "get"))),
        draw(st.sampled_from(("study", "patient"))),
        draw(st.sampled_from((1, 1, 2, 3))),
        draw(st.integers(1, 3)),
    )


@settings(max_examples=int(SOAK or 4), derandomize=SOAK is None, suppress_health_check=list(HealthCheck))
@given(attempts())
@example(Attempt(Quirks(fails_after=6, failure=Failure.RESET, skips_every=7, no_image_level=True), LONG, runs=2))
@example(Attempt(Quirks(fails_after=6, failure=Failure.RESET, skips_every=5, late=0.6), LONG, associations=3))
@example(Attempt(Quirks(cap=10, skips_every=11), LONG))
def test_no_image_is_lost_in_silence(attempt: Attempt) -> None:
    judgement = judge(attempt)
    assert judgement.wrong == []
    assert judgement.moves <= MOST_REQUESTS * attempt.runs * 8


def test_what_is_printed_of_an_attempt_makes_it_again() -> None:
    attempt = Attempt(Quirks(skips_every=3, claims=Claims.NOTHING, failure=Failure.HANG), LONG, "get", runs=2)
    assert eval(repr(attempt), vars(replay)) == attempt
