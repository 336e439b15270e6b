"""Each quirk of the simulated PACS, seen from a client."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from crawler.decode.decode import decode
from crawler.errors import TransientPeerError, UserError
from crawler.model import AETitle, Level, Limits, Model, Peer
from crawler.pacs.association import Association
from crawler.pacs.identifier import Query
from crawler.testing.archive import Archive
from crawler.testing.profile import parse_quirks
from crawler.testing.quirks import Failure, OverCap, Quirks
from crawler.testing.simulator import Simulator

ARCHIVE = Archive(400, date(2024, 3, 1), date(2024, 3, 10), undated=3)
TRUTH = ARCHIVE.table(Level.STUDY)
WEEK = {"StudyDate": "20240303-20240308"}


class Answer:
    """What came back: the rows, the final status or None, and whether 0xFF01 was seen."""

    def __init__(self) -> None:
        self.tables: list[pa.Table] = []
        self.status: int | None = None
        self.is_partly_unsupported = False
        self.is_lost = False

    def column(self, name: str) -> list[Any]:
        return [value for table in self.tables for value in table[name].to_pylist()]

    @property
    def uids(self) -> list[str]:
        return self.column("StudyInstanceUID")


async def ask_once(pacs: Simulator, keys: dict[str, str], level: Level = Level.STUDY) -> Answer:
    answer = Answer()
    limits = Limits(idle_timeout=0.6)
    peer = Peer("sim", pacs.host, pacs.port, AETitle("SIMPACS"), AETitle("TESTER"), limits)
    assoc = await Association.open(peer, [Model.STUDY_ROOT])
    stream = assoc.find(Query(Model.STUDY_ROOT, level, keys))
    try:
        async for batch in stream:
            answer.tables.append(decode(batch, level))
    except TransientPeerError:
        answer.is_lost = True
    answer.status, answer.is_partly_unsupported = stream.status, stream.optional_keys_unsupported
    return answer


def ask(keys: dict[str, str] | None = None, **quirks: Any) -> Answer:
    async def run() -> Answer:
        async with Simulator(ARCHIVE, quirks=Quirks(**quirks)) as pacs:
            return await ask_once(pacs, keys or {})

    return asyncio.run(run())


def uids_between(low: date, high: date) -> list[str]:
    uids: list[str] = ARCHIVE.table(Level.STUDY, low, high)["StudyInstanceUID"].to_pylist()
    return uids


@pytest.mark.parametrize(
    ("over_cap", "rows", "status"),
    [
        (OverCap.TRUNCATE, 50, 0),
        (OverCap.NOTHING, 0, 0),
        (OverCap.REFUSE_A700, 0, 0xA700),
        (OverCap.REFUSE_C001, 0, 0xC001),
        (OverCap.WARN_B000, 50, 0xB000),
    ],
)
def test_caps(over_cap: OverCap, rows: int, status: int) -> None:
    answer = ask(cap=50, over_cap=over_cap)
    assert (len(answer.uids), answer.status) == (rows, status)
    one_day = ask({"StudyDate": "20240303"}, cap=50, over_cap=over_cap)
    assert one_day.uids == uids_between(date(2024, 3, 3), date(2024, 3, 3))
    assert one_day.status == 0


def test_images_that_nobody_lists() -> None:
    async def statuses() -> list[int | None]:
        async with Simulator(ARCHIVE, quirks=Quirks(no_image_queries=True)) as pacs:
            series = ARCHIVE.table(Level.SERIES).slice(0, 1).to_pylist()[0]
            keys = {name: series[name] for name in ("StudyInstanceUID", "SeriesInstanceUID")}
            return [
                (await ask_once(pacs, keys, Level.IMAGE)).status,
                (await ask_once(pacs, {"StudyInstanceUID": keys["StudyInstanceUID"]}, Level.SERIES)).status,
            ]

    assert asyncio.run(statuses()) == [0xA900, 0]


def test_ignored_keys() -> None:
    everything = TRUTH["StudyInstanceUID"].to_pylist()
    assert ask({"ModalitiesInStudy": "MG"}, ignores=frozenset({"ModalitiesInStudy"})).uids == everything
    assert ask(WEEK, ignores=frozenset({"*"})).uids == everything
    assert ask(WEEK, ignores_ranges=True).uids == everything
    assert ask({"StudyDate": "20240305"}, ignores_ranges=True).uids == uids_between(date(2024, 3, 5), date(2024, 3, 5))


def test_exclusive_ends() -> None:
    assert ask(WEEK, exclusive_ends=True).uids == uids_between(date(2024, 3, 4), date(2024, 3, 7))
    assert ask({"StudyDate": "20240305-20240305"}, exclusive_ends=True).uids == []
    day = {"StudyDate": "20240305"}
    times = ask(day).column("StudyTime")
    low, high = f"{times[3]:%H%M%S.%f}", f"{times[-3]:%H%M%S.%f}"
    assert ask({**day, "StudyTime": f"{low}-{high}"}, exclusive_ends=True).column("StudyTime") == times[4:-3]


def test_undated_studies_match_every_range() -> None:
    week = uids_between(date(2024, 3, 3), date(2024, 3, 8))
    assert ask(WEEK).uids == week
    assert ask(WEEK, undated_always=True).uids == TRUTH["StudyInstanceUID"].to_pylist()[:3] + week


def test_duplicates() -> None:
    uids = ask(duplicate_every=10).uids
    assert list(dict.fromkeys(uids)) == TRUTH["StudyInstanceUID"].to_pylist()
    assert len(uids) == pytest.approx(403 * 1.1, abs=2)


def test_what_comes_back() -> None:
    plain = ask(WEEK)
    assert not plain.is_partly_unsupported
    assert ask(WEEK, says_unsupported=True).is_partly_unsupported
    omitted = frozenset({"NumberOfStudyRelatedInstances", "SpecificCharacterSet"})
    poor = ask(WEEK, omits=omitted)
    assert set(poor.column("NumberOfStudyRelatedInstances")) == {None}
    assert set(map(str, poor.column("SpecificCharacterSet"))) == {"None"}
    assert poor.column("StudyDescription") != plain.column("StudyDescription")
    rich = ask(WEEK, unsolicited=True, explicit_vr=True, max_pdu=40)
    assert pa.concat_tables(rich.tables).equals(pa.concat_tables(plain.tables))


@pytest.mark.parametrize("failure", list(Failure))
def test_broken_answers(failure: Failure) -> None:
    answer = ask(fails_after=100, failure=failure)
    assert answer.is_lost
    assert answer.status is None
    assert answer.uids == TRUTH["StudyInstanceUID"].to_pylist()[:100]
    assert ask(WEEK, fails_after=403).status == 0


def test_some_answers_break_off() -> None:
    async def run() -> list[bool]:
        async with Simulator(ARCHIVE, quirks=Quirks(fails_after=0, fails_one_in=4)) as pacs:
            return [(await ask_once(pacs, {"StudyDate": "20240305"})).is_lost for _ in range(24)]

    lost = asyncio.run(run())  # by chance that begins with the archive's seed: always the same
    assert 2 <= sum(lost) <= 12


def test_one_query_an_association_and_latency() -> None:
    async def run() -> None:
        async with Simulator(ARCHIVE, quirks=Quirks(one_query=True, latency=0.05, jitter=0.05)) as pacs:
            peer = Peer("sim", pacs.host, pacs.port, AETitle("SIMPACS"), AETitle("TESTER"))
            assoc = await Association.open(peer, [Model.STUDY_ROOT])
            began = asyncio.get_running_loop().time()
            stream = assoc.find(Query(Model.STUDY_ROOT, Level.STUDY, WEEK))
            assert sum([len(batch) async for batch in stream]) > 0
            assert stream.status == 0
            assert asyncio.get_running_loop().time() - began >= 0.05
            with pytest.raises(TransientPeerError):
                await assoc.echo()

    asyncio.run(run())


def test_quirks_as_text() -> None:
    texts = ["cap=500", "over_cap=a700", "ignores=StudyTime,Modality", "exclusive_ends", "latency=0.5"]
    assert parse_quirks(texts) == Quirks(
        cap=500,
        over_cap=OverCap.REFUSE_A700,
        ignores=frozenset({"StudyTime", "Modality"}),
        exclusive_ends=True,
        latency=0.5,
    )
    with pytest.raises(UserError, match="did you mean over_cap"):
        parse_quirks(["overcap=a700"])
    with pytest.raises(UserError, match="'many'"):
        parse_quirks(["cap=many"])
