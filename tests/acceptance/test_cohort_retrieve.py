"""`pacslake cohort retrieve` against a PACS that lies: all is here, byte by byte, or named as missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.cohort.definition import Definition
from crawler.model import Level
from crawler.testing.quirks import Claims, Failure, Offline, Quirks
from jobs.cohort import freeze_cohort
from jobs.ordering import RetrieveRequest, Wish
from jobs.retrieve import run_retrieve
from tests.acceptance.retrieving import HELD, PATIENCE, Attempt, held, judge, sited

HARMLESS = {
    "none": Quirks(),
    "success of nothing, in part": Quirks(skips_every=3, claims=Claims.NOTHING),
    "success whatever failed": Quirks(skips_every=2, claims=Claims.SUCCESS),
    "no counters": Quirks(skips_every=3, claims=Claims.UNCOUNTED),
    "late": Quirks(late=0.2),
    "twice": Quirks(twice=True),
    "other content the second time": Quirks(twice=True, alters_again=True),
    "from another AE title": Quirks(sends_as="OTHER"),
    "pending without end": Quirks(never_ends=True),
    "tape that comes by itself": Quirks(offline_every=2, offline_for=0.5, offline=Offline.COMES),
    "tape that comes when asked again": Quirks(offline_every=2, offline_for=0.5, offline=Offline.AGAIN),
    "no SERIES level": Quirks(no_series_level=True),
    "no IMAGE level": Quirks(no_image_level=True),
    "images cannot be listed": Quirks(no_image_queries=True),
    "one at a time": Quirks(max_retrievals=1),
    "out of resources now and then": Quirks(a702_every=3),
    "breaks off": Quirks(breaks_after=1, failure=Failure.ABORT),
}
LOSSES = {
    "nothing is ever sent": Quirks(skips_every=1, claims=Claims.NOTHING),
    "nothing is ever sent, and counted": Quirks(skips_every=1, claims=Claims.COMPLETED),
    "from one whom nobody knows": Quirks(sends_as="STRANGER"),
    "tape that never comes": Quirks(offline_every=2, offline=Offline.NEVER),
    "instances that are listed and do not exist": Quirks(phantom_every=3),
}


@pytest.mark.parametrize("way", ["move", "get"])
@pytest.mark.parametrize("what", HARMLESS)
def test_all_comes_whatever_the_pacs_says(what: str, way: str) -> None:
    judgement = judge(Attempt(HARMLESS[what], way=way))
    assert judgement.wrong == []
    assert (judgement.missing, judgement.code) == (frozenset(), 0)


@pytest.mark.parametrize("what", LOSSES)
def test_what_does_not_come_is_named(what: str) -> None:
    judgement = judge(Attempt(LOSSES[what]))
    assert judgement.wrong == []
    assert judgement.missing
    assert judgement.code == 3


def test_by_patient_root() -> None:
    judgement = judge(Attempt(Quirks(skips_every=3, claims=Claims.COMPLETED), model="patient"))
    assert (judgement.wrong, judgement.missing, judgement.code) == ([], frozenset(), 0)


def test_what_two_cohorts_share_is_asked_for_once(tmp_path: Path) -> None:
    with sited(tmp_path, Attempt()) as (settings, pacs):
        few = Definition("select SeriesInstanceUID from series order by all limit 5", {})
        freeze_cohort(settings, "few", few, as_json=True)
        for wishes in ((Wish("few"), Wish("all")), (Wish("all"), Wish("few")), (Wish("few"),)):
            assert run_retrieve(settings, RetrieveRequest(wishes, PATIENCE)) == 0
        assert pacs.counts.moves == {Level.SERIES: len(set(held(HELD).values()))}
        assert pacs.counts.stores == len(held(HELD))
        assert pacs.counts.queries[Level.IMAGE] == pacs.counts.moves[Level.SERIES]


def test_a_second_run_asks_for_nothing_that_is_here() -> None:
    once = judge(Attempt())
    assert once.moves == judge(Attempt(runs=2)).moves
