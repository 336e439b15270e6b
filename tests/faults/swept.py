"""Sweeps in this process, and a lake against what its PACS holds. Touches: network, disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import date
from pathlib import Path

from crawler.model import Level
from crawler.settings import load
from crawler.testing.archive import Archive
from crawler.testing.changing import ChangingArchive
from crawler.testing.quirks import Quirks
from crawler.testing.simulator import Simulator, running
from jobs.proof import Question, proofs
from jobs.sweep import SweepRequest, run_sweep
from tests.acceptance.schedules import impatient, proven
from tests.acceptance.sweeping import ask, configure

FIRST, BUSY, LAST = date(2024, 3, 1), date(2024, 3, 10), date(2024, 3, 30)
DAYS = (FIRST, LAST)
OK, PARTIAL, CAPPED = 0, 3, 4
"""What sweeps end with."""

Held = Archive | ChangingArchive


def sweep(folder: Path, first: date | None = None, last: date | None = None, *, patiently: bool = False) -> int:
    """Sweep what the settings in a folder say; give the exit code. Patiently: wait between tries."""
    with nullcontext() if patiently else impatient():
        return run_sweep(load(folder / "pacslake.toml"), SweepRequest((), first, last))


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
