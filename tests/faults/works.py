"""What pacslake does to a lake, each from the same beginning again and again, and how to see that it was done."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from crawler.errors import NoLakeError
from crawler.lake.query import open_lake
from crawler.lake.verify import verify
from crawler.lake.writer import LakeWriter
from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.quirks import Quirks
from crawler.testing.simulator import Simulator, running
from tests.acceptance.sweeping import configure
from tests.faults.injected import CHANGING, Call, Ended, Runner
from tests.faults.swept import since
from tests.integration.test_lake_restore import flip
from tests.integration.test_sweep_kill import wait_for_queries
from tests.property.lake.answers import answers, covered, sweep

ROOT = Path(__file__).parents[2]
DAYS = (date(2024, 1, 1), date(2024, 1, 31))
ARCHIVE = Archive(8, *DAYS, seed=3, series_per_study=1)
Told = list[list[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Work:
    """A command, how its lake is before, and what tells that it was done."""

    name: str
    arguments: tuple[str, ...]
    prepare: Callable[[Path], None]
    """Makes the lake."""
    queries: tuple[str, ...]
    """What is asked of the lake: the same is answered whenever the command has ended well."""
    codes: tuple[int, ...] = (0,)
    """With which the command ends well."""
    job: Mapping[str, object] | None = None
    """What the settings say of the job that does the same; None where there is none."""
    grows: bool = False
    """Whether it is done by several commits: what is told in between is part of what is told in the end."""

    def told(self, folder: Path) -> Told:
        """Ask the lake in a folder; nothing where there is none."""
        try:
            with open_lake(folder / "lake") as lake:
                return [lake.sql(query).fetchall() for query in self.queries]
        except NoLakeError:
            return [[] for _ in self.queries]


def _many_commits(lake: Path) -> None:
    """A commit a day: a new study with a series, one that changes, one that goes and comes back."""
    with LakeWriter.open(lake) as writer:
        for number in range(1, 7):
            day = date(2024, 1, number)
            rows = [(f"1.{number}", day), ("1.9", day), *([("1.8", day)] if number % 2 else [])]
            studies = [{"StudyInstanceUID": uid, "StudyDate": when} for uid, when in rows]
            writer.stage(Level.STUDY, "main", "s1", answers(Level.STUDY, studies))
            if number % 2 == 0:
                writer.remove(Level.STUDY, "main", "s1", ["1.8"])
            series = [{"StudyInstanceUID": f"1.{number}", "SeriesInstanceUID": f"1.{number}.1"}]
            writer.stage(Level.SERIES, "main", "s1", answers(Level.SERIES, series))
            writer.commit([covered(len(rows), day=day)], [sweep()])


def _damaged(lake: Path) -> None:
    _many_commits(lake)
    flip(next((lake / "log").glob("entity=study/v000000000004-*")))


def _of_an_earlier_release(lake: Path) -> None:
    shutil.copytree(ROOT / "tests" / "lakes" / "before_checksums", lake)


SAME = ("FROM studies_history ORDER BY ALL", "FROM series_history ORDER BY ALL", "FROM windows ORDER BY ALL")
ASKED_AGAIN = """SELECT count(*) FROM (SELECT sweep_id, level, date_from, date_to, time_from, time_to, "key"
    FROM windows WHERE state = 'complete' AND level = 'series' GROUP BY ALL HAVING count(*) > 1)"""
"""Finished windows that were: one that was ended below its studies is asked for its studies again."""
NEWEST = "version = (SELECT max(version) FROM cohorts)"
WORKS = (
    Work(
        "sweep",
        ("sweep", "--from", str(DAYS[0]), "--to", str(DAYS[1])),
        lambda lake: None,
        ("SELECT pacs, StudyInstanceUID, StudyDate, PatientName FROM studies ORDER BY ALL",
         "SELECT pacs, StudyInstanceUID, SeriesInstanceUID, Modality FROM series ORDER BY ALL",
         ASKED_AGAIN),
        job={"kind": "sweep", **since(DAYS[0])},
        grows=True,
    ),
    Work("maintain", ("maintain", "--whole", "--keep-files", "0"), _many_commits, SAME, job={"kind": "maintain"}),
    Work("upgrade", ("maintain",), _of_an_earlier_release, SAME[:1] + SAME[2:]),
    Work(
        "freeze",
        ("cohort", "new", "some", "--sql", "select SeriesInstanceUID from series"),
        _many_commits,
        (f"SELECT SeriesInstanceUID FROM cohort_series WHERE {NEWEST} ORDER BY ALL",),
        (0, 3),
    ),
    Work("export", ("export", "studies", "--output", "studies.csv", "--overwrite"), _many_commits, SAME),
    Work("repair", ("repair", "--yes"), _damaged, ("SELECT count(*) FROM studies_history",), (0, 3)),
)  # fmt: skip


QUICK = tuple(work for work in WORKS if work.name in ("sweep", "maintain", "upgrade", "repair"))


def work_named(name: str) -> Work:
    """Give the work of this name."""
    return next(work for work in WORKS if work.name == name)


@dataclass(frozen=True, slots=True)
class Done:
    """A work that nothing disturbed: what the lake told before and after it, and the system calls that it made."""

    before: Told
    after: Told
    calls: list[Call]

    def had(self, told: Told, *, grows: bool) -> bool:
        """Whether the lake may have told this at some moment."""
        parts = zip(told, self.after, strict=True)
        return told in (self.before, self.after) or (grows and all({*part} <= {*whole} for part, whole in parts))


class Bench:
    """Has one folder, in which one work after the other is begun."""

    def __init__(self, folder: Path, runner: Runner, pacs: Simulator) -> None:
        self.folder = folder / "work"
        self._beginnings = folder
        self._runner = runner
        self._pacs = pacs
        self._done: dict[str, Done] = {}

    def before(self, work: Work) -> Path:
        """Make the folder as it is before a work: settings, and a lake."""
        beginning = self._beginnings / work.name
        shutil.rmtree(self.folder, ignore_errors=True)
        if beginning.exists():
            shutil.copytree(beginning, self.folder)
        else:  # made in its place, since `lake.duckdb` has absolute paths
            self.folder.mkdir()
            configure(self.folder, {"main": self._pacs.port})
            work.prepare(self.folder / "lake")
            shutil.copytree(self.folder, beginning)
        self.ready(work)
        return self.folder

    def ready(self, work: Work) -> None:
        """Have done at once in the folder what there waits to be done again."""
        self._runner.ready(self.folder, work.arguments)

    def begin(self, work: Work) -> Path:
        """Make the folder as it is before a work of which is known what comes of it undisturbed."""
        self.done(work)
        return self.before(work)

    def run(self, work: Work) -> Ended:
        """Do a work in the folder, to its end."""
        return self._runner.run(self.folder, work.arguments)

    def check_mended(self, work: Work, after: object) -> None:
        """Nothing torn can be read after something went wrong, and the same command ends well."""
        whole = self.done(work)
        assert whole.had(work.told(self.folder), grows=work.grows), after
        again = self.run(work)
        assert again.code in work.codes, (after, again.said)
        assert work.told(self.folder) == whole.after, after
        flaws = verify(self.folder / "lake").flaws
        assert flaws == [], (after, flaws)

    @contextmanager
    def slow_pacs(self) -> Iterator[None]:
        """Have a PACS that takes a while for each answer."""
        self._pacs.quirks = Quirks(latency=0.3)
        self._pacs.counts.queries.clear()
        yield
        self._pacs.quirks = Quirks()

    def wait_for_queries(self, count: int) -> None:
        """Wait until the PACS has been asked so often."""
        wait_for_queries(self._pacs, count)

    def done(self, work: Work) -> Done:
        """Have the work done undisturbed, once."""
        if work.name not in self._done:
            folder = self.before(work)
            before = work.told(folder)
            ended = self._runner.run(folder, work.arguments, ["--trace", ",".join(CHANGING)])
            assert ended.code in work.codes, ended.said
            calls = [call for call in ended.calls if call.path]
            self._done[work.name] = Done(before, work.told(folder), calls)
        return self._done[work.name]


@contextmanager
def bench(folder: Path, runner: Runner) -> Iterator[Bench]:
    """Have a bench, and a PACS to be swept, while the block runs."""
    with running(Simulator(ARCHIVE)) as pacs:
        yield Bench(folder, runner, pacs)
