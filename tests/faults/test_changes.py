"""What becomes of a PACS between two questions: it is found again, and the lake remembers how it was before."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.changing import ChangingArchive
from crawler.testing.quirks import Quirks
from crawler.testing.simulator import Simulator, running
from tests.acceptance.sweeping import ask, configure, differences
from tests.faults.swept import BUSY, DAYS, LAST, OK, Sweep, asked, learned

if TYPE_CHECKING:
    from tests.faults.queued import Queued

SMALL = Archive(60, *DAYS, seed=5, series_per_study=1)
LATE = Archive(3, BUSY, BUSY, seed=9, series_per_study=1)


class Watched(ChangingArchive):
    """Changes by itself at the so-manieth question about studies."""

    def __init__(self, first: Archive, question: int, change: Callable[[ChangingArchive], None]) -> None:
        super().__init__(first)
        self._left, self._change = question, change

    def table(self, level: Level, date_from: date | None = None, date_to: date | None = None) -> pa.Table:
        self._left -= level is Level.STUDY
        if self._left == 0:
            self._change(self)
        return super().table(level, date_from, date_to)


def history(folder: Path, study: str) -> list[str]:
    statement = f"select change from studies_history where StudyInstanceUID = '{study}' order by valid_from"
    return [change for (change,) in ask(folder, statement)]


def test_changes_under_way(tmp_path: Path, sweep: Sweep, queued: Queued | None) -> None:
    oldest, same, *_, newest = ChangingArchive(SMALL).studies()

    def change(archive: ChangingArchive) -> None:
        archive.alter(oldest, StudyDate=LAST)  # whose day was asked for before: newest days come first
        archive.delete(newest)

    archive = Watched(SMALL, 10 if queued else 3, change)  # a job's windows are long: the oldest has come by then
    with asked(tmp_path, archive):
        sweep(tmp_path, *DAYS)
        assert ask(tmp_path, f"select count(*) from studies where StudyInstanceUID = '{oldest}'") == [(bool(queued),)]
        merged, renamed, strays = archive.studies()[20:23]
        archive.receive(LATE)
        archive.alter(merged, PatientID="PLANTED4712")
        archive.alter(renamed, StudyInstanceUID="2.25.4711")
        archive.alter(strays, StudyDate=LAST + timedelta(days=5))
        assert sweep(tmp_path, *DAYS) == OK
    assert differences(tmp_path, "main", Level.STUDY, archive, DAYS) == []
    assert history(tmp_path, oldest) == ["insert", "update"][: 2 if queued else 1]
    assert history(tmp_path, newest) == ["insert", "remove"]
    assert history(tmp_path, merged) == ["insert", "update"]
    assert (history(tmp_path, renamed), history(tmp_path, "2.25.4711")) == (["insert", "remove"], ["insert"])
    assert "remove" not in history(tmp_path, strays), "it is found by its UID, though not on its day"
    assert history(tmp_path, same) == ["insert"]


@contextmanager
def restarting(archive: Archive, before: Quirks, after: Quirks, port: int = 0) -> Iterator[int]:
    """Run a PACS that is gone after two questions, and comes back otherwise a little later."""
    ready, over, ports = threading.Event(), threading.Event(), list[int]()

    def run() -> None:
        with running(Simulator(archive, quirks=before)) as pacs:
            ports.append(pacs.port)
            ready.set()
            while pacs.counts.queries.total() < 2 and not over.is_set():
                time.sleep(0.005)
        with running(Simulator(archive, quirks=after, port=ports[0])):
            over.wait()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    ready.wait()
    yield ports[0]
    over.set()
    thread.join()


def test_restart_of_the_pacs(tmp_path: Path, sweep: Sweep) -> None:
    archive = Archive(400, *DAYS, seed=5, busy_day=BUSY, busy=60)
    with restarting(archive, Quirks(latency=0.05), Quirks(cap=40)) as port:
        configure(tmp_path, {"main": port}, levels='["study"]', max_associations=1)
        assert sweep(tmp_path, *DAYS, patiently=True) == OK
    assert differences(tmp_path, "main", Level.STUDY, archive, DAYS) == []
    assert learned(tmp_path)["cap"] == "40"
    with asked(tmp_path, archive):
        assert sweep(tmp_path, *DAYS) == OK
    assert differences(tmp_path, "main", Level.STUDY, archive, DAYS) == []
    assert learned(tmp_path)["cap"] == "0"


def test_clock_of_the_pacs(tmp_path: Path, sweep: Sweep) -> None:
    today = date.today()
    archive = ChangingArchive(Archive(40, today - timedelta(days=20), today, seed=5, series_per_study=1))
    new = Archive(3, today + timedelta(days=1), today + timedelta(days=1), seed=9, series_per_study=1)
    with asked(tmp_path, archive):
        archive.receive(new, new.table(Level.STUDY)["StudyInstanceUID"].to_pylist()[:1])
        assert sweep(tmp_path) == OK
        assert differences(tmp_path, "main", Level.STUDY, archive) == []
        archive.receive(new, new.table(Level.STUDY)["StudyInstanceUID"].to_pylist()[1:])
        assert sweep(tmp_path, today - timedelta(days=2)) == OK
    assert differences(tmp_path, "main", Level.STUDY, archive) == []
