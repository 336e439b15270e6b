"""`pacslake cohort retrieve` asks for nothing twice, by Patient Root too; lies of a PACS are in tests/faults."""

from __future__ import annotations

from pathlib import Path

from crawler.cohort.definition import Definition
from crawler.model import Level
from crawler.testing.quirks import Claims, Quirks
from jobs.cohort import freeze_cohort
from jobs.ordering import RetrieveRequest, Wish
from jobs.retrieve import run_retrieve
from tests.acceptance.retrieving import HELD, PATIENCE, Attempt, held, judge, sited


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
