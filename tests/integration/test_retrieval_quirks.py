"""Each way of the simulated PACS to lie about images, seen on the wire by pynetdicom."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import pyarrow.compute as pc
import pytest
from pydicom import Dataset

from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.quirks import Claims, Failure, Offline, Quirks
from crawler.testing.simulator import Simulator, running
from tests.integration.storing import MOVE, Arrivals, arriving, associated, failed_in, get, identifier, move

ARCHIVE = Archive(30, date(2024, 3, 4), date(2024, 3, 8), rows=8, columns=6, most_images=12)
IMAGES = ARCHIVE.table(Level.IMAGE)
WHOLE = ARCHIVE.table(Level.SERIES).filter(pc.field("NumberOfSeriesRelatedInstances") == 12)
STUDY, SERIES = (WHOLE[name][0].as_py() for name in ("StudyInstanceUID", "SeriesInstanceUID"))
ABOVE = {"StudyInstanceUID": STUDY, "SeriesInstanceUID": SERIES}
LISTED: list[str] = IMAGES.filter(pc.equal(IMAGES["SeriesInstanceUID"], SERIES))["SOPInstanceUID"].to_pylist()
OF_SERIES = identifier("SERIES", **ABOVE)
OF_STUDY = identifier("STUDY", StudyInstanceUID=STUDY)
Counted = tuple[int | None, ...]


def of_images(*uids: str) -> Dataset:
    return identifier("IMAGE", **ABOVE, SOPInstanceUID=list(uids))


@contextmanager
def lying(**quirks: Any) -> Iterator[tuple[Simulator, Arrivals]]:
    """Run a PACS with these quirks beside a destination SCP, whose arrivals it gives."""
    arrivals = Arrivals()
    with running(Simulator(ARCHIVE, quirks=Quirks(**quirks))) as pacs, arriving(arrivals) as port:
        pacs.destinations["SCP"] = ("127.0.0.1", port)
        yield pacs, arrivals


def said(responses: list[tuple[Dataset, Any]]) -> tuple[int | None, Counted]:
    """Give the final status, and the counters of completed, failed and warning sub-operations."""
    final = responses[-1][0]
    names = ("Completed", "Failed", "Warning")
    return final.get("Status"), tuple(final.get(f"NumberOf{name}Suboperations") for name in names)


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        time.sleep(0.02)
    raise TimeoutError("it did not come")


@pytest.mark.parametrize(
    ("every", "claims", "answer", "named"),
    [
        (3, Claims.TRUTH, (0xB000, (8, 4, 0)), LISTED[2::3]),
        (3, Claims.SUCCESS, (0, (8, 4, 0)), []),
        (3, Claims.COMPLETED, (0, (12, 0, 0)), []),
        (1, Claims.TRUTH, (0xA702, (0, 12, 0)), LISTED),
        (1, Claims.SUCCESS, (0, (0, 12, 0)), []),
        (1, Claims.COMPLETED, (0, (12, 0, 0)), []),
        (1, Claims.NOTHING, (0, (0, 0, 0)), []),
        (0, Claims.NOTHING, (0, (0, 0, 0)), []),
        (3, Claims.UNCOUNTED, (0xB000, (None, None, None)), []),
    ],
)
def test_what_comes_and_what_is_said_of_it(
    every: int, claims: Claims, answer: tuple[int, Counted], named: list[str]
) -> None:
    with lying(skips_every=every, claims=claims) as (pacs, arrivals):
        responses = move(pacs, OF_SERIES)
        assert said(responses) == answer
        assert failed_in(responses[-1][1]) == named
        came = [uid for number, uid in enumerate(LISTED) if not every or number % every != every - 1]
        assert [uid for uid, _ in arrivals.objects] == came
        assert pacs.counts.stores == len(came)


def test_asking_for_what_is_missing_ends_with_everything() -> None:
    with lying(skips_every=3, claims=Claims.COMPLETED) as (pacs, arrivals):
        move(pacs, OF_SERIES)
        while missing := [uid for uid in LISTED if uid not in arrivals.datasets]:
            move(pacs, of_images(*missing))
        assert pacs.counts.moves == {Level.SERIES: 1, Level.IMAGE: 2}


def test_c_get_lies_alike() -> None:
    classes = ARCHIVE.hospital.kind_words["SOPClassUID"].unique().to_pylist()
    with running(Simulator(ARCHIVE, quirks=Quirks(skips_every=2, claims=Claims.COMPLETED, twice=True))) as pacs:
        arrivals = Arrivals()
        assert said(get(pacs, OF_SERIES, arrivals, classes)) == (0, (12, 0, 0))
        assert [uid for uid, _ in arrivals.objects] == [uid for uid in LISTED[::2] for _ in range(2)]
        assert (pacs.counts.gets, pacs.peak_associations) == ({Level.SERIES: 1}, 1)


def test_a_cancelled_get_ends() -> None:
    classes = ARCHIVE.hospital.kind_words["SOPClassUID"].unique().to_pylist()
    with running(Simulator(ARCHIVE, quirks=Quirks(sends_per_second=50))) as pacs:
        arrivals = Arrivals(cancels_after=4)
        responses = get(pacs, OF_SERIES, arrivals, classes)
        assert responses[-1][0].Status == 0xFE00
        assert responses[-1][0].NumberOfRemainingSuboperations == 12 - len(arrivals.objects)
        assert 4 <= len(arrivals.objects) < 12


def test_instances_come_after_success() -> None:
    with lying(late=0.3, skips_every=4) as (pacs, arrivals):
        assert said(move(pacs, OF_SERIES)) == (0xB000, (9, 3, 0))
        at_once = len(arrivals.objects)
        wait_until(lambda: len(arrivals.objects) == 9)
        assert (at_once, len(arrivals.datasets)) == (0, 9)


def test_instances_come_twice_and_then_with_other_content() -> None:
    with lying(twice=True, alters_again=True) as (pacs, arrivals):
        assert said(move(pacs, OF_SERIES)) == (0, (12, 0, 0))
        truth = [pacs.objects.truth(uid) for uid in LISTED]
        both = [(one.sop_instance, one.dataset) for true in truth for one in (true, true.altered())]
        assert arrivals.objects == both
    with lying(alters_again=True) as (pacs, arrivals):
        move(pacs, of_images(LISTED[0]))
        move(pacs, of_images(LISTED[0], LISTED[1]))
        assert arrivals.objects == [both[0], both[1], both[2]]


def test_instances_come_from_another_ae_title() -> None:
    with lying(sends_as="OTHERPACS") as (pacs, arrivals):
        move(pacs, of_images(LISTED[0]))
        assert (arrivals.senders, arrivals.originators) == ({"OTHERPACS"}, {("TESTER", 77)})


@pytest.mark.parametrize("claims", [Claims.TRUTH, Claims.COMPLETED])
def test_pending_without_end_ends_by_a_cancel(claims: Claims) -> None:
    with lying(never_ends=True, claims=claims) as (pacs, arrivals):
        assoc = associated(pacs, MOVE)
        responses = assoc.send_c_move(OF_SERIES, "SCP", MOVE, msg_id=5)
        pending = [next(responses)[0] for _ in range(6)]
        assert {one.Status for one in pending} == {0xFF00}
        assert [one.NumberOfRemainingSuboperations for one in pending] == [11, 6, 1, 0, 0, 0]
        assert len(arrivals.objects) == 12
        assoc.send_c_cancel(5, query_model=MOVE)
        assert list(responses)[-1][0].Status == 0xFE00
        assoc.release()
        assert pacs.counts.cancelled == 1


def test_a_cancel_is_ignored() -> None:
    with lying(sends_per_second=50, ignores_cancel=True) as (pacs, _):
        assoc = associated(pacs, MOVE)
        responses = assoc.send_c_move(OF_SERIES, "SCP", MOVE, msg_id=5)
        assert next(responses)[0].Status == 0xFF00
        assoc.send_c_cancel(5, query_model=MOVE)
        assert said(list(responses)) == (0, (12, 0, 0))
        assoc.release()


def test_an_offline_series_comes_by_itself() -> None:
    with lying(offline_every=1, offline_for=0.5) as (pacs, arrivals):
        assert said(move(pacs, OF_SERIES)) == said(move(pacs, OF_SERIES)) == (0, (0, 0, 0))
        at_once = len(arrivals.objects)
        wait_until(lambda: len(arrivals.objects) == 12)
        assert at_once == 0
        assert said(move(pacs, OF_SERIES)) == (0, (12, 0, 0))


def test_an_offline_series_comes_when_asked_for_again_or_never() -> None:
    number = WHOLE["SeriesNumber"][0].as_py()
    others = [uid for uid in uids_of_study() if uid not in LISTED]
    with lying(offline_every=number, offline_for=0.5, offline=Offline.AGAIN) as (pacs, arrivals):
        assert said(move(pacs, OF_STUDY)) == (0, (len(others), 0, 0))
        assert sorted(arrivals.datasets) == sorted(others)
        wait_until(lambda: said(move(pacs, of_images(*LISTED))) == (0, (12, 0, 0)))
        assert sorted(arrivals.datasets) == sorted(uids_of_study())
    with lying(offline_every=number, offline_for=0, offline=Offline.NEVER) as (pacs, arrivals):
        assert said(move(pacs, OF_SERIES)) == said(move(pacs, OF_SERIES)) == (0, (0, 0, 0))
        assert not arrivals.objects


def uids_of_study() -> list[str]:
    """Give the instances of the study whose series have numbers that are no multiple of the series', and its own."""
    series = ARCHIVE.table(Level.SERIES).filter(pc.field("StudyInstanceUID") == STUDY)
    number = WHOLE["SeriesNumber"][0].as_py()
    kept = [row["SeriesInstanceUID"] for row in series.to_pylist() if row["SeriesNumber"] % number]
    found: list[str] = IMAGES.filter(pc.field("SeriesInstanceUID").isin([*kept, SERIES]))["SOPInstanceUID"].to_pylist()
    return found


def test_phantoms_are_listed_but_neither_counted_nor_sent() -> None:
    with lying(phantom_every=5) as (pacs, arrivals):
        assert said(move(pacs, OF_SERIES)) == (0, (10, 0, 0))
        assert sorted(arrivals.datasets) == [uid for number, uid in enumerate(LISTED, 1) if number % 5]
        assert said(move(pacs, of_images(LISTED[4]))) == (0, (0, 0, 0))


def test_levels_that_are_refused() -> None:
    one = of_images(LISTED[0])
    with lying(no_series_level=True) as (pacs, _):
        assert [said(move(pacs, asked))[0] for asked in (OF_SERIES, one, OF_STUDY)] == [0xA900, 0, 0]
    with lying(no_image_level=True) as (pacs, _):
        assert [said(move(pacs, asked))[0] for asked in (OF_SERIES, one, OF_STUDY)] == [0, 0xA900, 0]
        assert pacs.counts.moves == {Level.SERIES: 1, Level.IMAGE: 1, Level.STUDY: 1}


def test_some_are_answered_by_a702() -> None:
    with lying(a702_every=3) as (pacs, _):
        one = of_images(LISTED[0])
        assert [said(move(pacs, one))[0] for _ in range(6)] == [0, 0, 0xA702, 0, 0, 0xA702]
        assert pacs.counts.refused == 2


def test_so_many_at_once_and_so_many_a_second() -> None:
    with lying(max_retrievals=1, sends_per_second=40) as (pacs, arrivals):
        first = threading.Thread(target=move, args=(pacs, OF_SERIES))
        first.start()
        wait_until(lambda: bool(arrivals.objects))
        assert said(move(pacs, OF_SERIES)) == (0xA702, (None, None, None))
        first.join()
        assert (len(arrivals.objects), pacs.counts.peak_retrievals, pacs.peak_associations) == (12, 1, 2)


@pytest.mark.parametrize("failure", [Failure.ABORT, Failure.RESET])
def test_a_move_breaks_off(failure: Failure) -> None:
    with lying(breaks_after=5, failure=failure) as (pacs, arrivals):
        responses = move(pacs, OF_SERIES)
        assert said(responses)[0] is None  # pynetdicom's way to say that the association was lost
        assert len(arrivals.objects) == 5
        assert said(move(pacs, of_images(*LISTED[5:8]))) == (0, (3, 0, 0))


def test_quirks_mix() -> None:
    quirks: dict[str, Any] = {"skips_every": 3, "claims": Claims.COMPLETED, "twice": True, "phantom_every": 6}
    with lying(**quirks, late=0.1, sends_as="X", a702_every=2, sends_per_second=200) as (pacs, arrivals):
        assert said(move(pacs, OF_SERIES)) == (0, (10, 0, 0))
        assert said(move(pacs, OF_SERIES))[0] == 0xA702
        exist = [uid for number, uid in enumerate(LISTED, 1) if number % 6]
        came = [uid for number, uid in enumerate(exist) if number % 3 != 2]
        wait_until(lambda: len(arrivals.objects) == 14)
        assert [uid for uid, _ in arrivals.objects] == [uid for uid in came for _ in range(2)]
        assert arrivals.senders == {"X"}
