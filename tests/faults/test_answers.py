"""What PACS answer that is not the whole truth: a sweep finds the whole, or its ledger says what is not proven.

One sweep crawls one PACS of each kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.quirks import OverCap, Quirks
from crawler.testing.simulator import Simulator, running
from tests.acceptance.sweeping import ask, configure, differences
from tests.faults.swept import BUSY, DAYS, PARTIAL, Sweep, in_silence, learned

TIME, MODALITY, EVERYTHING = frozenset({"StudyTime"}), frozenset({"ModalitiesInStudy"}), frozenset({"*"})
UNCUT = TIME | MODALITY | {"PatientID"}
"""All by which one day can be cut into parts."""
REFUSALS = {OverCap.REFUSE_A700: 0xA700, OverCap.REFUSE_C001: 0xC001, OverCap.WARN_B000: 0xB000}
CAP = 40
MOST_QUERIES = 150


@cache
def crowded(cap: int) -> Archive:
    """Give an archive with a day that has more studies than the cap, and enough others for the cap to be seen."""
    return Archive(max(400, 3 * cap), *DAYS, seed=5, busy_day=BUSY, busy=cap + cap // 2)


def lying(*, long: bool, till_today: bool) -> dict[str, Quirks]:
    """Give the ways to lie; each name begins with the first word of its fault. In long form with all known caps.

    Till today there are years without a study: two of them take more queries then, or more than one sweep.
    """
    kinds = {
        "silent": Quirks(cap=CAP),
        "told_uncut": Quirks(cap=CAP, over_cap=OverCap.WARN_B000, ignores=UNCUT),
        "every": Quirks(ignores=EVERYTHING),
        "some_times": Quirks(cap=CAP, ignores=TIME),
    }
    if not long:
        return kinds
    for cap in (100, 200, 500, 1000):
        kinds[f"silent_{cap}"] = Quirks(cap=cap)
        kinds[f"silent_uncut_{cap}"] = Quirks(cap=cap, ignores=UNCUT)
        for over_cap in REFUSALS:
            kinds[f"told_{cap}_{over_cap}"] = Quirks(cap=cap, over_cap=over_cap, says_unsupported=True)
            kinds[f"told_uncut_{cap}_{over_cap}"] = Quirks(cap=cap, over_cap=over_cap, ignores=UNCUT)
    if not till_today:
        kinds["silent_nothing"] = Quirks(cap=CAP, over_cap=OverCap.NOTHING)
        kinds["some_ranges"] = Quirks(ignores_ranges=True)
    return kinds | {
        "some_modalities": Quirks(cap=CAP, ignores=MODALITY),
        "some_times_and_modalities": Quirks(cap=CAP, ignores=TIME | MODALITY),
        "some_ends": Quirks(exclusive_ends=True),
        "some_ends_and_times": Quirks(cap=CAP, exclusive_ends=True, ignores=TIME),
    }


@dataclass(frozen=True)
class Swept:
    """What one sweep of all of them came to."""

    folder: Path
    pacs: Mapping[str, Simulator]

    def named(self, beginning: str) -> list[str]:
        found = [name for name in self.pacs if name.startswith(beginning)]
        assert found
        return found

    def archive(self, name: str) -> Archive:
        archive = self.pacs[name].archive
        assert isinstance(archive, Archive)
        return archive

    def unproven(self, name: str, columns: str) -> set[tuple[object, ...]]:
        """Ask for windows that are not complete; studies without a time, which hours lack, are another matter."""
        of_it = f"pacs = '{name}' and state <> 'complete' and \"key\" is distinct from 'StudyTime='"
        return set(ask(self.folder, f"select {columns} from windows where {of_it}"))

    def assert_whole(self, name: str) -> None:
        """All is there, and no more was asked than that takes."""
        assert differences(self.folder, name, Level.STUDY, self.archive(name), DAYS) == [], name
        assert in_silence(self.folder, self.archive(name), DAYS, name) == []
        assert self.pacs[name].counts.queries.total() < MOST_QUERIES

    def assert_only_the_busy_day_is_left(self, name: str) -> None:
        """All other days are proven and there; this one is on record."""
        assert self.unproven(name, "date_from, date_to") == {(BUSY, BUSY)}, name
        archive = self.archive(name)
        others = archive.total - archive.table(Level.STUDY, BUSY, BUSY).num_rows
        held = f"select count(*) from studies where pacs = '{name}' and StudyDate <> '{BUSY}'"
        assert ask(self.folder, held) == [(others,)]
        assert in_silence(self.folder, archive, DAYS, name) == []
        assert self.pacs[name].counts.queries.total() < MOST_QUERIES


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, sweep: Sweep, queued: object | None, long: bool) -> Iterator[Swept]:
    folder = tmp_path_factory.mktemp("answers")
    with ExitStack() as stack:
        pacs = {
            name: stack.enter_context(running(Simulator(crowded(quirks.cap or CAP), quirks=quirks)))
            for name, quirks in lying(long=long, till_today=queued is not None).items()
        }
        configure(folder, {name: one.port for name, one in pacs.items()}, levels='["study"]', max_associations=1)
        assert sweep(folder, *DAYS) == PARTIAL
        yield Swept(folder, pacs)


def test_silent_cap(swept: Swept) -> None:
    for name in swept.named("silent"):
        cap = swept.pacs[name].quirks.cap
        if "uncut" in name:
            swept.assert_only_the_busy_day_is_left(name)
            assert ("capped", BUSY) in swept.unproven(name, "state, date_from")
            continue
        swept.assert_whole(name)
        assert swept.unproven(name, "date_from") == set()
        assert name == "silent_nothing" or learned(swept.folder, name)["cap"] == str(cap)


def test_told_cap(swept: Swept) -> None:
    for name in swept.named("told"):
        if "uncut" in name:
            swept.assert_only_the_busy_day_is_left(name)
            status = REFUSALS[swept.pacs[name].quirks.over_cap]
            assert {one for (one,) in swept.unproven(name, "status") if one is not None} == {status}
        else:
            swept.assert_whole(name)
            assert swept.unproven(name, "date_from") == set()


def test_every_key_ignored(swept: Swept) -> None:
    [name] = swept.named("every")
    counted = swept.unproven(name, "state, regexp_replace(reason, '[0-9]+', 'N')")
    assert counted == {("filter_ignored", "N rows of other days")}
    assert ask(swept.folder, f"select count(*) from windows where pacs = '{name}' and state = 'complete'") == [(0,)]
    assert in_silence(swept.folder, swept.archive(name), DAYS, name) == []
    assert swept.pacs[name].counts.queries.total() < 10


def test_some_keys_ignored(swept: Swept) -> None:
    for name in swept.named("some"):
        swept.assert_whole(name)
        found, quirks = learned(swept.folder, name), swept.pacs[name].quirks
        for key in quirks.ignores - (frozenset[str]() if "StudyTime" in quirks.ignores else MODALITY):
            assert found[f"unsupported_key.{key}"] == "ignored"
        is_in_doubt = "StudyTime" in quirks.ignores or quirks.ignores_ranges
        assert swept.unproven(name, "date_from, date_to") == ({(BUSY, BUSY)} if is_in_doubt else set())
