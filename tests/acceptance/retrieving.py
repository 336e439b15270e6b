"""Whole retrievals from a simulated PACS that lies, judged by the bytes on disk against the truth.

To replay an attempt that failed, paste what was printed of it:
    python -c "from tests.acceptance.retrieving import *; print(judge(Attempt(...)))"
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from io import BytesIO
from pathlib import Path

import pydicom

import crawler
from crawler.cohort.definition import Definition
from crawler.cohort.frozen import newest
from crawler.lake.catalog import OWN_PLACE, open_catalog
from crawler.model import Level
from crawler.retrieve.order import Patience
from crawler.retrieve.standing import gather, standing
from crawler.settings import Settings, load
from crawler.testing.archive import Archive
from crawler.testing.objects import Objects
from crawler.testing.quirks import Claims, Failure, Offline, Quirks  # noqa: F401  # what is pasted names them
from crawler.testing.simulator import Simulator, running
from jobs.cohort import freeze_cohort
from jobs.ordering import RetrieveRequest, Wish
from jobs.retrieve import run_retrieve
from jobs.sweep import SweepRequest, run_sweep
from tests.acceptance.schedules import in_time, source
from tests.integration.real_pacs import kept_port

DAYS = (date(2024, 2, 1), date(2024, 2, 4))
HELD = Archive(4, *DAYS, seed=11, series_per_study=2, rows=8, columns=6, most_images=4)
PATIENCE = Patience(settle=0.3, look_again=(0.05, 0.1), ask_again=(0.05, 0.3, 1.2))
"""That of a PACS on the same machine."""
LONGEST = 600
"""Seconds that no attempt may take, though each request may bring one instance and then fall silent."""


@dataclass(frozen=True, repr=False)
class Attempt:
    """What a PACS holds, how it misbehaves, and how it is asked. Its repr makes it again."""

    quirks: Quirks = field(default_factory=Quirks)
    archive: Archive = HELD
    way: str = "move"
    model: str = "study"
    runs: int = 1
    associations: int = 2
    patience: float = 1.0

    def __repr__(self) -> str:
        return source(self)


@dataclass(frozen=True)
class Judgement:
    """What an attempt came to."""

    wrong: list[str]
    """What is missing or altered in silence; nothing is right."""
    missing: frozenset[str]
    """Instances that are not here, each of them named."""
    code: int
    """Exit code of the last run."""
    moves: int
    """Requests that the PACS was asked."""


@contextmanager
def sited(folder: Path, attempt: Attempt) -> Iterator[tuple[Settings, Simulator]]:
    """Give the settings and the PACS of an attempt, swept down to series and with all of them in the cohort `all`."""
    shutil.copytree(_swept(attempt.archive), folder / "lake")
    with running(Simulator(attempt.archive, quirks=attempt.quirks)) as pacs, kept_port() as port:
        pacs.destinations["PACSLAKE"] = ("127.0.0.1", port)
        yield _settings(folder, attempt, pacs.port, port), pacs


@cache
def _swept(archive: Archive) -> Path:
    """Sweep an archive once for all attempts."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    with running(Simulator(archive)) as pacs:
        settings = _settings(folder, Attempt(archive=archive), pacs.port, our_port=1)
        run_sweep(settings, SweepRequest())
    freeze_cohort(settings, "all", Definition("select SeriesInstanceUID from series", {}), as_json=True)
    return settings.lake.path


def _settings(folder: Path, attempt: Attempt, port: int, our_port: int) -> Settings:
    (folder / "pacslake.toml").write_text(
        f'[lake]\npath = "lake"\n[local]\nport = {our_port}\nallowed_senders = ["OTHER@127.0.0.1"]\n'
        f'[pacs.main]\nhost = "127.0.0.1"\nport = {port}\nae_title = "SIMPACS"\nmodel = "{attempt.model}"\n'
        f'retrieve_by = "{attempt.way}"\nretrieve_idle_timeout = 1.5\ntotal_timeout = 1\n'
        f"max_associations = {attempt.associations}\nretrieve_patience = {attempt.patience}\n"
    )
    return load(folder / "pacslake.toml")


def retrieve(settings: Settings) -> int:
    """Run `pacslake cohort retrieve all` with the patience of tests."""
    return run_retrieve(settings, RetrieveRequest((Wish("all"),), PATIENCE))


def judge(attempt: Attempt, bring: Callable[[Settings], int] = retrieve) -> Judgement:
    """Retrieve, and compare the store, the lake and what is said of them with what the PACS holds."""
    with tempfile.TemporaryDirectory() as folder, sited(Path(folder), attempt) as (settings, pacs):
        with in_time(pacs, LONGEST):
            for _ in range(attempt.runs):
                code = bring(settings)
        wrong, missing = losses(settings, attempt.archive)
        if (code == 0) != (not missing):
            wrong.append(f"{len(missing)} instances are missing, and the exit code is {code}")
        return Judgement(wrong, missing, code, pacs.counts.moves.total() + pacs.counts.gets.total())


def losses(settings: Settings, archive: Archive, *, may_alter: bool = False) -> tuple[list[str], frozenset[str]]:
    """Say what is missing without being named, or not the truth; and which instances are missing in all.

    Where a PACS alters what it sends again, and the first sending was lost, the altered one is what there is.
    """
    truth = held(archive)
    here = dict(files(settings))
    wrong = [f"{uid} is here, and the PACS does not have it" for uid in here.keys() - truth.keys()]
    objects = Objects(archive)
    for uid, path in here.items():
        if uid not in truth:
            continue
        sent = [objects.truth(uid), *([objects.truth(uid).altered()] if may_alter else [])]
        if pydicom.dcmread(path) not in [pydicom.dcmread(_as_file(one.dataset, path)) for one in sent]:
            wrong.append(f"{uid} is not what the PACS holds")
    missing = frozenset(truth.keys() - here.keys())
    with open_catalog(settings.lake.path) as connection:
        gather(connection, newest(settings.lake.path, "all").rows)
        open_series = {one.series_uid: one for one in standing(connection).missing}
    for uid in missing:
        said = open_series.get(truth[uid])
        if said is None or (uid not in said.lacking and len(said.lacking) == said.missing > 0):
            wrong.append(f"{uid} is missing, and nobody says so")
        elif not said.reason:
            wrong.append(f"{uid} is missing, and nobody says why")
    return wrong, missing


def held(archive: Archive) -> Mapping[str, str]:
    """Give the series of each instance of an archive."""
    rows = archive.table(Level.IMAGE).select(["SOPInstanceUID", "SeriesInstanceUID"]).to_pylist()
    return {row["SOPInstanceUID"]: row["SeriesInstanceUID"] for row in rows}


def files(settings: Settings) -> list[tuple[str, Path]]:
    """Give the files of the lake, by SOP Instance UID."""
    with crawler.open_lake(settings.lake.path) as lake:
        rows = lake.sql(f"select SOPInstanceUID, path from files where {OWN_PLACE}").fetchall()
    return [(uid, settings.local.store_path / path) for uid, path in rows]


def _as_file(dataset: bytes, path: Path) -> BytesIO:
    """Give a file with this dataset behind the header of another one."""
    whole = path.read_bytes()
    length = 132 + 12 + int.from_bytes(whole[140:144], "little")
    return BytesIO(whole[:length] + dataset)
