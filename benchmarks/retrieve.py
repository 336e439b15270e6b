"""A cohort brought from Orthanc by C-MOVE, against Orthanc's own C-STORE of the same objects to storescp, in turns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pydicom

from benchmarks.receive import PROMPT, emptied, make, tool
from crawler.cohort.definition import Definition
from crawler.lake.catalog import open_catalog
from crawler.settings import Settings, load
from jobs.cohort import refreeze
from jobs.ordering import RetrieveRequest, Wish
from jobs.retrieve import run_retrieve
from jobs.sweep import SweepRequest, run_sweep
from tests.integration.real_pacs import free_port, orthanc, wait_for

OBJECTS, SERIES_OF, PIXELS = 20_000, 200, 8_192
"""A series of CT has so many; objects are small, so that the work for each shows."""
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Rate:
    """Instances a second. Ours counts from the command to the last series that is complete and reads back."""

    ours: float
    theirs: float


def measure(share: int = 1) -> Iterator[Rate]:
    count = OBJECTS // share
    os.environ.update(PROMPT)  # for Orthanc too, which sends by DCMTK
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder / "source", count, PIXELS)
        _part_into_series(folder / "source")
        ports = {"PACSLAKE": free_port(), "STORESCP": free_port()}
        peers = {peer: [peer, "127.0.0.1", port] for peer, port in ports.items()}
        http = free_port()
        more = {"DicomModalities": peers, "HttpPort": http, "StorageCompression": False}
        with orthanc(Path(tool("Orthanc")), folder, sorted((folder / "source").iterdir()), **more) as pacs:
            rounds = [
                (_ours(folder, pacs, ports["PACSLAKE"], count), _theirs(folder, http, ports["STORESCP"]))
                for _ in range(ROUNDS)
            ]
        ours, theirs = (median(column) for column in zip(*rounds, strict=True))
        yield Rate(count / ours, count / theirs)


def _part_into_series(folder: Path) -> None:
    for number, path in enumerate(sorted(folder.iterdir())):
        dataset = pydicom.dcmread(path)
        dataset.SeriesInstanceUID = f"1.2.826.0.1.1.{number // SERIES_OF + 1}"
        dataset.save_as(path, enforce_file_format=True)


def _ours(folder: Path, pacs: int, port: int, count: int) -> float:
    with tempfile.TemporaryDirectory(dir=folder) as name:
        settings = _settings(Path(name), pacs, port)
        run_sweep(settings, SweepRequest())
        refreeze(settings, "all", Definition("from series"))
        began = time.perf_counter()
        assert run_retrieve(settings, RetrieveRequest((Wish("all"),))) == 0
        took = time.perf_counter() - began
        with open_catalog(settings.lake.path) as lake:
            assert lake.execute("SELECT count(*) FROM files").fetchall() == [(count,)]
    return took


def _settings(folder: Path, pacs: int, port: int) -> Settings:
    file = folder / "pacslake.toml"
    file.write_text(
        f'[lake]\npath = "lake"\n[local]\nport = {port}\n'
        f'[pacs.main]\nhost = "127.0.0.1"\nport = {pacs}\nae_title = "ORTHANC"\nmax_associations = 1\n'
    )
    return load(file)


def _theirs(folder: Path, http: int, port: int) -> float:
    """Seconds in which Orthanc sends all to storescp over one association, as its REST interface does on request."""
    target = folder / "theirs"
    command = [tool("storescp"), "-od", str(target), str(port)]
    with emptied(target), subprocess.Popen(command, env=PROMPT) as server:
        wait_for(port)
        studies = _rest(http, "studies")
        began = time.perf_counter()
        _rest(http, "modalities/STORESCP/store", {"Resources": studies, "Synchronous": True, "Timeout": 600})
        took = time.perf_counter() - began
        server.terminate()
    return took


def _rest(http: int, path: str, body: object = None) -> object:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{http}/{path}", data, timeout=900) as answer:
        return json.loads(answer.read())


if __name__ == "__main__":
    for rate in measure(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        ratio = rate.ours / rate.theirs
        print(
            f"{rate.ours:,.0f} instances a second by C-MOVE from Orthanc, {rate.theirs:,.0f} to storescp: {ratio:.2f}"
        )
