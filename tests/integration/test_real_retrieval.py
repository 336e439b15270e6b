"""Sweep, cohort, images: the commands as a user types them, against real Orthanc and dcmqrscp."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

import crawler
from crawler.retrieve.order import Patience
from crawler.settings import load
from jobs.cli import main
from jobs.ordering import RetrieveRequest, Wish
from jobs.retrieve import run_retrieve
from tests.integration.retrieving import RealPacs, differences
from tests.integration.sending import in_layout

pytestmark = pytest.mark.filterwarnings("ignore:Invalid value for VR")  # some of pydicom's files are malformed

COHORTS = {
    ("ORTHANC", "move"): "select SeriesInstanceUID from series",
    # 128 presentation contexts have no room for every transfer syntax of every modality at once.
    ("ORTHANC", "get"): "select SeriesInstanceUID from series where Modality in ('CT', 'MR')",
    # It takes any file, and sends no compressed one: this patient has none.
    ("DCMQRSCP", "move"): "select StudyInstanceUID from studies where PatientID = 'P001'",
    ("DCMQRSCP", "get"): "select StudyInstanceUID from studies where PatientID = 'P001'",
}
HASTY = Patience(settle=0.2, look_again=(0.1,), ask_again=(0.1, 0.1))


def configure(folder: Path, pacs: RealPacs, way: str, ae_title: str = "PACSLAKE") -> None:
    peer = pacs.peer
    (folder / "pacslake.toml").write_text(
        f'[lake]\npath = "lake"\n[local]\nae_title = "{ae_title}"\nport = {pacs.destination}\n'
        f'[pacs.main]\nhost = "127.0.0.1"\nport = {peer.port}\nae_title = "{peer.called_ae}"\nretrieve_by = "{way}"\n'
    )


def run(folder: Path, *words: str) -> int:
    """Do what is typed, without a process of its own: most of its time would be imports."""
    with contextlib.chdir(folder):
        return main(words)


def frozen(folder: Path, pacs: RealPacs, way: str, ae_title: str = "PACSLAKE") -> None:
    """Sweep, and freeze a cohort."""
    configure(folder, pacs, way, ae_title)
    assert run(folder, "sweep") == 0
    sql = COHORTS[pacs.peer.called_ae, way]
    assert run(folder, "cohort", "new", "all", "--sql", sql) == 0


@pytest.mark.parametrize("way", ["move", "get"])
def test_a_cohort_comes_whole_and_is_what_the_pacs_has(tmp_path: Path, pacs: RealPacs, way: str) -> None:
    frozen(tmp_path, pacs, way)
    # dcmqrscp does not count the instances of a series: whether they still grow would take a minute to see.
    assert run(tmp_path, "cohort", "retrieve", "all", "--growing-too") == 0
    with crawler.open_lake(tmp_path / "lake") as lake:
        rows = lake.sql("select * from files").to_arrow_table().to_pylist()
    kinds = {("ORTHANC", "move"): set(pacs.sources), ("ORTHANC", "get"): pacs.of("Modality", "CT", "MR")}
    wanted = kinds.get((pacs.peer.called_ae, way), pacs.of("PatientID", "P001"))
    assert {row["SOPInstanceUID"] for row in rows} == wanted
    assert not list(differences(tmp_path / "store", rows, pacs.sources))
    assert len(in_layout(tmp_path / "store")) == len(wanted)
    for words in (["status", "all"], ["verify", "all"]):
        assert run(tmp_path, "cohort", *words) == 0


def test_a_destination_that_is_not_registered_says_what_to_register(
    tmp_path: Path, pacs: RealPacs, capsys: pytest.CaptureFixture[str]
) -> None:
    frozen(tmp_path, pacs, "move", "NOBODY")
    settings = load(tmp_path / "pacslake.toml")
    assert run_retrieve(settings, RetrieveRequest((Wish("all"),), HASTY)) == 3
    said = capsys.readouterr().err
    assert f"AE title NOBODY at host 127.0.0.1, port {pacs.destination}, " in said
    assert not in_layout(tmp_path / "store")
