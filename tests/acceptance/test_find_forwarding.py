"""`forward = true`: what the lake's C-MOVE does not have is sent by the PACS that has it, and counted as that does."""

from __future__ import annotations

import contextlib
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.association import Association

from crawler.lake.audit import AuditLog
from crawler.lake.writer import LakeWriter
from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.quirks import Quirks
from crawler.testing.simulator import Simulator, running
from jobs.cli import main
from tests.acceptance.serving import Serving, serving
from tests.acceptance.sweeping import configure
from tests.integration.finding import decoded
from tests.integration.real_pacs import free_port
from tests.integration.storing import MOVE, Arrivals, arriving, failed_in, identifier

DAY = date(2024, 3, 1)
HELD = Archive(6, DAY, DAY, seed=5, series_per_study=2, rows=8, columns=6, most_images=6)
STUCK = Archive(6, DAY, DAY, seed=6, series_per_study=2, rows=8, columns=6, most_images=6)
SERIES = HELD.table(Level.SERIES).to_pylist()
SIZES = Counter(one["StudyInstanceUID"] for one in SERIES)
PART = next(one for one in SERIES if SIZES[one["StudyInstanceUID"]] > 1 < one["NumberOfSeriesRelatedInstances"])
STUDY, UID = PART["StudyInstanceUID"], PART["SeriesInstanceUID"]
OTHER = next(one for one in SERIES if one["StudyInstanceUID"] != STUDY)


def run(folder: Path, *words: str) -> int:
    """Do what is typed, without a process of its own: most of its time would be imports."""
    with contextlib.chdir(folder):
        return main(words)


def images(keyword: str, value: str) -> list[str]:
    """Give the instances of a study or series."""
    return sorted(one["SOPInstanceUID"] for one in HELD.table(Level.IMAGE).to_pylist() if one[keyword] == value)


@dataclass
class Place:
    """A lake that forwards, with one half of one series in its store, and who is sent to."""

    folder: Path
    port: int
    pacs: Simulator
    stuck: Simulator
    taker: int
    arrivals: Arrivals
    service: Serving

    def associated(self) -> Association:
        """Call the lake."""
        ae = AE(ae_title="TESTER")
        ae.add_requested_context(MOVE)
        assoc = ae.associate("127.0.0.1", self.port, ae_title="LAKE")
        assert assoc.is_established
        return assoc

    def move(self, level: str, **keys: Any) -> tuple[Dataset, list[str], list[Dataset]]:
        """Ask for a C-MOVE to TAKER; give the final status, what failed by name, and the pending ones."""
        self.arrivals.objects.clear()
        self.pacs.counts.moves.clear()
        assoc = self.associated()
        *pending, (final, named) = assoc.send_c_move(identifier(level, **keys), "TAKER", MOVE)
        assoc.release()
        return final, failed_in(named), [status for status, _ in pending]

    @property
    def arrived(self) -> list[str]:
        """What TAKER was sent, in order of UIDs; twice what came twice."""
        return sorted(uid for uid, _ in self.arrivals.objects)

    @property
    def audited(self) -> str:
        """What the audit says last."""
        return str(list(AuditLog(self.folder / "lake").entries())[-1]["what"])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder, port, arrivals = tmp_path_factory.mktemp("forwards"), free_port(), Arrivals()
    never = Simulator(STUCK, quirks=Quirks(never_ends=True))
    with running(never) as stuck, running(Simulator(HELD)) as pacs, arriving(arrivals) as taker:
        with running(Simulator(HELD, quirks=Quirks(phantom_every=2))) as half:
            ports = {"main": half.port, "stuck": stuck.port}
            configure(folder, ports, retrieve_by='"get"', retrieve_patience=0.0001)
            assert run(folder, "sweep", "--level", "series") == 0
            assert run(folder, "cohort", "retrieve", "--series", UID) == 3
        for one in (pacs, stuck):
            one.destinations["TAKER"] = ("127.0.0.1", taker)
        configure(folder, {"main": pacs.port, "stuck": stuck.port})
        file = folder / "pacslake.toml"
        told = f'listen = "127.0.0.1:{port}"\nae_title = "LAKE"\nforward = true\n'
        told += f'destinations = {{ TAKER = "127.0.0.1:{taker}" }}\n'
        file.write_text(f'{file.read_text()}[serve]\nlisten = ""\n[find_scp]\n{told}')
        with serving(folder, "--find-scp") as service:
            service.wait_for("lake shown")
            yield Place(folder, port, pacs, stuck, taker, arrivals, service)


def test_what_is_not_here_of_a_series_is_asked_for_by_name(place: Place) -> None:
    final, failed, pending = place.move("SERIES", StudyInstanceUID=STUDY, SeriesInstanceUID=UID)
    assert place.arrived == images("SeriesInstanceUID", UID)
    assert (final.Status, failed) == (0x0000, [])
    assert final.NumberOfCompletedSuboperations == len(images("SeriesInstanceUID", UID))
    assert place.pacs.counts.moves == {Level.IMAGE: 1}
    assert pending
    assert place.audited == "C-MOVE SERIES to TAKER, forwarded to main what is not here"


def test_a_study_that_is_here_in_part_comes_by_series_and_another_as_a_study(place: Place) -> None:
    final, _, _ = place.move("STUDY", StudyInstanceUID=STUDY)
    assert place.arrived == images("StudyInstanceUID", STUDY)
    assert (final.Status, final.NumberOfCompletedSuboperations) == (0x0000, len(place.arrived))
    assert place.pacs.counts.moves == {Level.IMAGE: 1, Level.SERIES: SIZES[STUDY] - 1}
    other = OTHER["StudyInstanceUID"]
    final, _, _ = place.move("STUDY", StudyInstanceUID=other)
    assert place.arrived == images("StudyInstanceUID", other)
    assert (final.Status, final.NumberOfCompletedSuboperations) == (0x0000, len(place.arrived))
    assert place.pacs.counts.moves == {Level.STUDY: 1}


def test_a_pacs_that_does_not_know_the_destination_is_named_and_what_it_has_failed(place: Place) -> None:
    known = place.pacs.destinations.pop("TAKER")
    try:
        final, failed, _ = place.move("SERIES", StudyInstanceUID=STUDY, SeriesInstanceUID=UID)
    finally:
        place.pacs.destinations["TAKER"] = known
    assert (final.Status, final.ErrorComment) == (0xB000, "main: 0xA801 (move destination unknown)")
    assert sorted([*place.arrived, *failed]) == images("SeriesInstanceUID", UID)
    assert final.NumberOfFailedSuboperations == len(failed) > 0
    place.service.wait_for("not all could be forwarded", reason="main: 0xA801 (move destination unknown)")


def test_a_paused_pacs_is_not_asked(place: Place) -> None:
    assert run(place.folder, "pacs", "pause", "main") == 0
    try:
        final, _, _ = place.move("STUDY", StudyInstanceUID=OTHER["StudyInstanceUID"])
    finally:
        assert run(place.folder, "pacs", "resume", "main") == 0
    assert (final.Status, final.ErrorComment) == (0xA702, "main may not be asked now")
    assert final.NumberOfFailedSuboperations == len(images("StudyInstanceUID", OTHER["StudyInstanceUID"]))
    assert not place.pacs.counts.moves


def test_a_cancel_is_passed_on(place: Place) -> None:
    rows = STUCK.table(Level.SERIES).to_pylist()
    study = next(name for name, n in Counter(one["StudyInstanceUID"] for one in rows).items() if n > 1)
    sizes = {
        one["SeriesInstanceUID"]: one["NumberOfSeriesRelatedInstances"]
        for one in rows
        if one["StudyInstanceUID"] == study
    }
    asked = identifier("SERIES", StudyInstanceUID=study, SeriesInstanceUID=list(sizes))
    place.arrivals.objects.clear()
    assoc = place.associated()
    pending = 0
    responses = assoc.send_c_move(asked, "TAKER", MOVE, msg_id=5)
    for final, _ in responses:
        pending += final.Status == 0xFF00
        if final.Status == 0xFF00 and final.NumberOfCompletedSuboperations in sizes.values():
            assoc.send_c_cancel(5, query_model=MOVE)
    assoc.release()
    assert pending > 1
    assert final.Status == 0xFE00
    sent = final.NumberOfCompletedSuboperations
    assert (sent, sent + final.NumberOfRemainingSuboperations) == (len(place.arrived), sum(sizes.values()))
    assert final.NumberOfFailedSuboperations == 0
    assert place.stuck.counts.cancelled == 1


def test_a_get_is_not_forwarded(place: Place, tmp_path: Path, dcmtk_tool: Callable[[str], Path]) -> None:
    place.pacs.counts.moves.clear()
    keys = ["QueryRetrieveLevel=SERIES", f"StudyInstanceUID={STUDY}", f"SeriesInstanceUID={UID}"]
    command = [str(dcmtk_tool("getscu")), "-S", "-aec", "LAKE", "-od", str(tmp_path), "127.0.0.1", str(place.port)]
    subprocess.run([*command, *(word for key in keys for word in ("-k", key))], capture_output=True, timeout=60)
    assert 0 < len(list(tmp_path.iterdir())) < len(images("SeriesInstanceUID", UID))
    assert not place.pacs.counts.moves
    assert place.audited == "C-GET SERIES to GETSCU"


def test_a_series_whose_rest_has_no_names_comes_as_a_whole_and_counts_once(place: Place) -> None:
    table = HELD.table(Level.SERIES)
    grown = table.filter(pc.equal(table["SeriesInstanceUID"], UID)).drop_columns("NumberOfSeriesRelatedInstances")
    grown = grown.append_column(
        "NumberOfSeriesRelatedInstances", pa.array([50], table.schema.field("NumberOfSeriesRelatedInstances").type)
    )
    with LakeWriter.open(place.folder / "lake") as writer:
        writer.stage(Level.SERIES, "main", "s9", decoded(Level.SERIES, grown))
        writer.commit()
    place.service.wait_for("lake shown", 2)
    final, _, _ = place.move("SERIES", StudyInstanceUID=STUDY, SeriesInstanceUID=UID)
    there = images("SeriesInstanceUID", UID)
    assert sorted(set(place.arrived)) == there
    assert len(place.arrived) > len(there)
    assert place.pacs.counts.moves == {Level.SERIES: 1}
    assert (final.Status, final.NumberOfCompletedSuboperations) == (0xB000, len(there))
    assert final.NumberOfFailedSuboperations == 50 - len(there)
    assert final.ErrorComment.startswith("main counts ")
