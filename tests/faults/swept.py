"""Sweeps in this process, and a lake against what its PACS holds. Touches: network, disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import date
from pathlib import Path
from typing import Protocol

from crawler.model import Level
from crawler.settings import load
from crawler.testing.archive import Archive
from crawler.testing.changing import ChangingArchive
from crawler.testing.quirks import Quirks
from crawler.testing.simulator import Simulator, running
from jobs.nightly import Night, run_night
from jobs.proof import Question, proofs
from jobs.sweep import SweepRequest, run_sweep
from tests.acceptance.schedules import impatient, proven
from tests.acceptance.sweeping import ask, configure

FIRST, BUSY, LAST = date(2024, 3, 1), date(2024, 3, 10), date(2024, 3, 30)
DAYS = (FIRST, LAST)
OK, PARTIAL, CAPPED = 0, 3, 4
"""What sweeps end with."""

ALL_DAYS = 36525

Held = Archive | ChangingArchive


class Sweep(Protocol):
    """Sweeps what the settings in a folder say, by whichever back end; gives the exit code."""

    def __call__(
        self, folder: Path, first: date | None = None, last: date | None = None, *, patiently: bool = False
    ) -> int: ...


def sweep_here(folder: Path, first: date | None = None, last: date | None = None, *, patiently: bool = False) -> int:
    """Sweep in this process, as a night does where no last day is named. Patiently: wait between tries."""
    settings = load(folder / "pacslake.toml")
    with nullcontext() if patiently else impatient():
        if first and not last:
            return run_night(settings, Night(lookback=(date.today() - first).days))
        return run_sweep(settings, SweepRequest((), first, last))


def since(first: date | None) -> dict[str, object]:
    """Say in the settings of a job from which day on it asks; no job has a last one."""
    return {"reconcile_days": 0, "lookback_days": (date.today() - first).days if first else ALL_DAYS}


@contextmanager
def asked(folder: Path, archive: Held, quirks: Quirks | None = None, **settings: object) -> Iterator[Simulator]:
    """Run a PACS `main` with settings for it in a folder: it is asked for studies alone, unless they say more."""
    folder.mkdir(exist_ok=True)
    with running(Simulator(archive, quirks=quirks)) as pacs:
        configure(folder, {"main": pacs.port}, **({"levels": '["study"]', "max_associations": 1} | settings))
        yield pacs


def in_silence(
    folder: Path, archive: Held, days: Sequence[date | None] = (None, None), pacs: str = "main"
) -> list[str]:
    """Say which studies a lake lacks on days that it calls proven, and which it has that are none; nothing is right."""
    first, last = days
    truth = archive.table(Level.STUDY, first, last)
    kept = {uid for (uid,) in ask(folder, f"select StudyInstanceUID from studies where pacs = '{pacs}'")}
    proof = proofs(load(folder / "pacslake.toml"), Question((pacs,), first, last, Level.STUDY), date.today())[0]
    held = zip(truth["StudyInstanceUID"].to_pylist(), truth["StudyDate"].to_pylist(), strict=True)
    missing = [f"{uid} of {day or 'no day'} is missing" for uid, day in held if uid not in kept and proven(proof, day)]
    return missing + [
        f"{uid} is none" for uid in kept - set(archive.table(Level.STUDY)["StudyInstanceUID"].to_pylist())
    ]


def learned(folder: Path, pacs: str = "main") -> dict[str, str]:
    """Give what the lake knows of a PACS: name of the finding -> value."""
    return dict(ask(folder, f"select name, value from pacs_profiles where pacs = '{pacs}'"))
