"""Lakes with files: swept from simulated PACS in this process, objects put into the store as the receiver does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from datetime import date, datetime
from functools import partial
from pathlib import Path

from crawler.lake.writer import LakeWriter
from crawler.model import Level
from crawler.retrieve.expectation import Expectation
from crawler.retrieve.files import rows_of
from crawler.retrieve.header import file_meta
from crawler.retrieve.incoming import Incoming
from crawler.retrieve.instance import Instance
from crawler.retrieve.rows import file_rows
from crawler.retrieve.spool import Spool
from crawler.settings import load
from crawler.testing.archive import Archive
from crawler.testing.objects import EXPLICIT_VR, SyntheticObject
from crawler.testing.simulator import Simulator, running
from jobs.sweep import SweepRequest, run_sweep
from tests.acceptance.sweeping import configure

EVERYTHING = Expectation(accept_unsolicited=True)
MOMENT = datetime(2024, 3, 1, 22, 0, 9)


def swept(folder: Path, held: Mapping[str, tuple[Archive, Level]], days: tuple[date, date]) -> None:
    """Sweep what each PACS holds on these days, down to a level."""
    with ExitStack() as stack:
        pacs = {name: stack.enter_context(running(Simulator(archive))) for name, (archive, _) in held.items()}
        configure(folder, {name: one.port for name, one in pacs.items()})
        for name, (_, level) in held.items():
            request = SweepRequest((name,), *days, level)
            assert run_sweep(load(folder / "pacslake.toml"), request) == 0


def bring(folder: Path, objects: Iterable[SyntheticObject], asked: Mapping[str, str]) -> None:
    """Write them into `store`, and into the lake that they are there; `asked` says of series from which PACS."""
    spool = Spool.open(folder / "store")
    group = []
    for one in objects:
        instance = Instance(one.sop_class, one.sop_instance, EXPLICIT_VR, "SIMPACS")
        meta = file_meta(one.sop_class, one.sop_instance, EXPLICIT_VR)
        incoming = Incoming(spool.intake, instance, meta, partial(instance.judge, expectation=EVERYTHING))
        incoming.write(one.dataset)
        assert incoming.finish() == 0
        group.append(incoming.arrived)
    kept, namesakes = spool.place(group)
    kept += spool.compare(namesakes)
    spool.close()
    with LakeWriter.open(folder / "lake") as writer:
        writer.append("file", file_rows(rows_of(kept, MOMENT), asked))
        writer.commit()
