"""The lake as a C-FIND SCP: the first answer for a day among a million studies, and its rate against Orthanc's.

Usage: python -m benchmarks.find_scp [studies]    (1,000,000 unless said)
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from statistics import median

from benchmarks.queries import BATCH, DAYS, answers
from crawler.lake.upkeep import Wanted, maintain
from crawler.lake.writer import LakeWriter
from crawler.model import AETitle, Level, Model, Peer, Window
from crawler.pacs.association import Association
from crawler.pacs.identifier import Query
from crawler.pacs.sop_classes import FIND_CLASSES
from tests.integration.files import many_studies
from tests.integration.real_pacs import free_port, orthanc

STUDIES = 1_000_000
OF_ORTHANC = 1500
"""More take it a minute to be given; its rate is the same."""
ROUNDS = 9
NEWEST = date(1970, 1, 1) + timedelta(days=20_000)


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds to the first answer of ours, and answers a second of both."""

    first: float
    ours: float
    theirs: float


def measure(studies: int, orthanc_binary: Path) -> Taken:
    """Ask both over one association each, by the same client."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        port = free_port()
        build(folder / "lake", studies)
        (folder / "pacslake.toml").write_text(
            '[lake]\npath = "lake"\n[pacs.main]\nhost = "127.0.0.1"\nport = 1\nae_title = "MAIN"\n'
            f'[serve]\nlisten = ""\n[find_scp]\nlisten = "127.0.0.1:{port}"\n'
        )
        command = ["pacslake", "serve", "--find-scp"]
        with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as service:
            try:
                wait_for(service, "lake shown")
                first = [asyncio.run(ask(port, "PACSLAKE", a_day(n)))[0] for n in range(ROUNDS)]
                ours = max(asyncio.run(rate(port, "PACSLAKE", recent(studies))) for _ in range(3))
            finally:
                service.terminate()
        (folder / "orthanc").mkdir()
        (folder / "files").mkdir()
        with orthanc(orthanc_binary, folder / "orthanc", many_studies(folder / "files", OF_ORTHANC)) as port:
            theirs = max(asyncio.run(rate(port, "ORTHANC", Window())) for _ in range(3))
    return Taken(median(first), ours, theirs)


def build(lake: Path, studies: int) -> None:
    """Write a lake of studies of ten years, after its upkeep."""
    with LakeWriter.open(lake) as writer:
        for first in range(0, studies, BATCH):
            writer.stage(Level.STUDY, "main", "s1", answers(first, studies)[0])
        writer.commit()
        maintain(writer, Wanted())


def wait_for(service: subprocess.Popen[str], event: str) -> None:
    assert service.stderr is not None
    for line in service.stderr:
        with suppress(ValueError):
            if json.loads(line)["event"] == event:
                return


def a_day(number: int) -> Window:
    day = NEWEST - timedelta(days=number * 367 % DAYS)
    return Window(day, day)


def recent(studies: int) -> Window:
    """Give the days of about 100,000 studies."""
    return Window(NEWEST - timedelta(days=min(DAYS, 100_000 * DAYS // studies)), NEWEST)


async def rate(port: int, ae_title: str, window: Window) -> float:
    _, rows, seconds = await ask(port, ae_title, window)
    return rows / seconds


async def ask(port: int, ae_title: str, window: Window) -> tuple[float, int, float]:
    """Ask for all that a sweep asks for; give seconds to the first answer, their number, and seconds to the last."""
    peer = Peer("bench", "127.0.0.1", port, AETitle(ae_title), AETitle("BENCH"))
    assoc = await Association.open(peer, [FIND_CLASSES[Model.STUDY_ROOT]])
    try:
        began, first, rows = time.perf_counter(), 0.0, 0
        async for batch in assoc.find(Query.of_window(Model.STUDY_ROOT, window)):
            first = first or time.perf_counter() - began
            rows += len(batch)
        return first, rows, time.perf_counter() - began
    finally:
        await assoc.release()


def main(studies: int) -> None:
    binary = shutil.which("Orthanc", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    assert binary is not None, "Orthanc is not installed"
    taken = measure(studies, Path(binary))
    print(f"first answer for a day of {studies:,} studies: {taken.first * 1000:.1f} ms (aim: 50 or less)")
    print(
        f"answers a second: {taken.ours:,.0f} against {taken.theirs:,.0f} of Orthanc:"
        f" {taken.ours / taken.theirs:.1f} times (aim: 5 or more)"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else STUDIES)
