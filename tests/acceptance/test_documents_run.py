"""Every block of the documents runs as it is printed, but those that `tests/documents.py` names.

A document's commands are typed in a folder of its own with a lake of a simulated PACS. What it calls `main`, `archive`,
ORTHANC or 1.2.840.113619.2.1 is something on this machine: MEANT says what.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date
from itertools import chain, groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import crawler
from crawler.deid.recipe import read_recipe
from crawler.lake.writer import LakeWriter
from crawler.model import Level
from crawler.settings import load
from crawler.testing.archive import Archive
from crawler.testing.profile import load_profile
from crawler.testing.simulator import Simulator, running
from tests.acceptance.installed import pacslake
from tests.acceptance.sweeping import said, section, sweep
from tests.acceptance.typed import translated, walk
from tests.documents import EVERYTHING, ROOT, SHELL, Piece, blocks
from tests.integration.authority import Authority
from tests.integration.real_pacs import free_port, kept_port, orthanc, wait_for
from tests.integration.storing import storescp
from tests.integration.tls_servers import openssl_server
from tests.integration.worklists import wlmscpfs

ARCHIVE = Archive(
    40, date(2024, 1, 1), date(2024, 1, 31), seed=7, series_per_study=3, rows=32, columns=32, most_images=6
)
"""What `main` holds; the README shows how much of it is CT."""
OTHER = Archive(3, date(2024, 1, 1), date(2024, 1, 31), seed=5, rows=8, columns=8, most_images=2)
"""What `archive` holds: nothing of CT."""
SETTINGS = """
[lake]
path = "lake"
[local]
port = {local}
[serve]
listen = "127.0.0.1:0"
password_file = "users"
[find_scp]
listen = "127.0.0.1:{find}"
[jobs.nightly]
kind = "sweep"
cron = "0 22 * * 1-5"
[pacs.main]
host = "127.0.0.1"
port = {main}
ae_title = "SIMPACS"
[pacs.archive]
host = "127.0.0.1"
port = {archive}
ae_title = "SIMPACS"
"""
LONG = "correct horse battery"
CODES = {"pacslake cohort export chest_ct --recipe": 20, "pacslake cohort review chest_ct --sheets": 20}
"""Exit codes other than 0, by what a command begins with: the README says what 20 is."""


class Site(NamedTuple):
    """A folder with settings and a lake, the PACS that it is of, and what the documents call all that."""

    folder: Path
    meant: dict[str, str]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, dcmtk_tool: Callable[[str], Path]) -> Iterator[Site]:
    """Run the PACS, and sweep them."""
    folder = tmp_path_factory.mktemp("site")
    with ExitStack() as stack:
        pacs, archive = (stack.enter_context(running(Simulator(one))) for one in (ARCHIVE, OTHER))
        local, find = (stack.enter_context(kept_port()) for _ in range(2))
        ris = stack.enter_context(wlmscpfs(dcmtk_tool("wlmscpfs"), tmp_path_factory.mktemp("ris")))
        (folder / "workstation").mkdir()
        workstation = stack.enter_context(storescp(dcmtk_tool("storescp"), folder / "workstation"))
        pacs.destinations.update(PACSLAKE=("127.0.0.1", local), WORKSTATION=("127.0.0.1", workstation))
        settings = SETTINGS.format(local=local, find=find, main=pacs.port, archive=archive.port)
        (folder / "pacslake.toml").write_text(settings)
        added = pacslake(folder, "users", "add", "bob", "--role", "viewer", "--password-stdin", stdin=f"{LONG}\n")
        done = sweep(folder)
        assert (added.returncode, done.returncode) == (0, 0), said(done)
        yield Site(folder, _meant(pacs.port, ris.port, find, dcmtk_tool("findscu")))


def _meant(pacs: int, ris: int, find: int, findscu: Path) -> dict[str, str]:
    study = _smallest(Level.STUDY)[0]
    series = next(one for one in _smallest(Level.SERIES) if one["Modality"] == "CT")
    return {
        "ORTHANC@127.0.0.1:4242": f"SIMPACS@127.0.0.1:{pacs}",
        "ORTHANC@192.0.2.10:4242": f"SIMPACS@127.0.0.1:{pacs}",
        "RIS@10.0.0.7:104": f"RIS@127.0.0.1:{ris}",
        "1.2.840.113619.2.1": study["StudyInstanceUID"],
        "1.2.840.113619.2.5.1": series["SeriesInstanceUID"],
        "1.2.840.1": study["StudyInstanceUID"],
        "/data/ct": "data_ct",
        "s3://hospital/lake": "lake",
        "127.0.0.1 11113": f"127.0.0.1 {find}",
        "findscu": str(findscu),
        "users add alice --role analyst": f"users add alice --role analyst --password-stdin <<<'{LONG}'",
    }


def _smallest(level: Level) -> list[dict[str, Any]]:
    """Give the rows of a level, those with the fewest images first."""
    counted = {Level.STUDY: "NumberOfStudyRelatedInstances", Level.SERIES: "NumberOfSeriesRelatedInstances"}
    rows: list[dict[str, Any]] = ARCHIVE.table(level).sort_by(counted[level]).to_pylist()
    return rows


@pytest.fixture
def folder(site: Site, demo: Path, tmp_path: Path) -> Path:
    """Give a copy of the site, with what the documents take for granted."""
    shutil.copytree(site.folder, tmp_path / "site")
    folder = tmp_path / "site"
    LakeWriter.open(folder / "lake").close()  # lake.duckdb says where the files lie
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / "pacslake-demo").symlink_to(demo)
    (folder / "chest_ct.sql").write_text(
        "select SeriesInstanceUID from series join studies using (pacs, StudyInstanceUID)"
        " where Modality = 'CT' and StudyDate >= $since::date"
        " order by NumberOfSeriesRelatedInstances, SeriesInstanceUID limit 3"
    )
    numbers = [study["AccessionNumber"] for study in _smallest(Level.STUDY)]
    (folder / "accessions.csv").write_text("\n".join(["AccessionNumber", *numbers[:2], ""]))
    return folder


def walks() -> dict[str, list[Piece]]:
    """Give what is typed of each document, and of a block that several have in the first of them alone."""
    found: dict[str, list[Piece]] = {}
    typed: set[tuple[str, ...]] = set()
    for document, group in groupby(EVERYTHING, attrgetter("document", "block")):
        block = [piece for piece in group if piece.language in SHELL and not piece.rows]
        words = tuple(re.sub(r"\s+#.*", "", piece.text) for piece in block)
        if words and words not in typed:
            found.setdefault(document[0], []).extend(block)
        typed.add(words)
    [begins] = (piece.block for piece in found["README.md"] if piece.text.startswith("pacslake cohort new all_ct"))
    found["README.md, images"] = [piece for piece in found["README.md"] if piece.block == begins]
    found["README.md"] = [piece for piece in found["README.md"] if piece.block != begins]
    return found


WALKS = walks()
AT_HOME = ("docs/analysts.md", "docs/tls.md", "docs/tutorial.md")
"""Documents whose commands are typed in a place of their own."""


@pytest.mark.parametrize("document", sorted(WALKS.keys() - {*AT_HOME}))
def test_the_commands_of_a_document_run(site: Site, folder: Path, document: str) -> None:
    walk(folder, WALKS[document], site.meant, CODES)


def test_the_charts_for_analysts_are_as_shown(demo: Path) -> None:
    walk(demo, WALKS["docs/analysts.md"], {}, CODES)


def test_openssl_says_what_the_page_about_tls_says(tmp_path: Path) -> None:
    shown = Authority(tmp_path, "hospital").issue("pacs")
    with openssl_server(shown) as port:
        walk(tmp_path, WALKS["docs/tls.md"], {"pacs.hospital.example:2762": f"127.0.0.1:{port}"}, CODES)
    assert (tmp_path / "pacslake.pem").exists()


def test_the_tutorial_goes_as_it_is_written(
    tmp_path: Path, orthanc_binary: Path, dcmtk_tool: Callable[[str], Path]
) -> None:
    """From an empty folder; Orthanc and dcmqrscp get the settings that the page has for them."""
    page = (ROOT / "docs" / "tutorial.md").read_text()
    meant = {port: str(free_port()) for port in ("11112", "11113", "11114", "4242")}
    of = {language: translated(text, meant) for language, text in blocks(page)}
    (tmp_path / "pacslake.toml").write_text(of["toml"])
    (tmp_path / "archive").mkdir()
    (tmp_path / "dcmqrscp.cfg").write_text(of["text"])
    *simulated, real = (list(block) for _, block in groupby(WALKS["docs/tutorial.md"], attrgetter("block")))
    walk(tmp_path, chain(*simulated), {" &": f" --port {meant['11113']} &", **meant}, CODES)
    with (tmp_path / "pacslake.toml").open("a") as settings:
        settings.write(section("orthanc", port=meant["4242"], ae_title='"ORTHANC"'))
    server = [str(dcmtk_tool("dcmqrscp")), "-c", "dcmqrscp.cfg"]
    known = {"DicomAlwaysAllowFind": False, "DicomAlwaysAllowEcho": False, **json.loads(of["json"])}
    with orthanc(orthanc_binary, tmp_path, [], **known), subprocess.Popen(server, cwd=tmp_path) as qrscp:
        wait_for(int(meant["11114"]))
        assert pacslake(tmp_path, "echo", f"QRSCP@127.0.0.1:{meant['11114']}").returncode == 0
        qrscp.terminate()
        walk(tmp_path, real, {"/usr/bin/storescu": str(dcmtk_tool("storescu")), **meant}, CODES)
    assert list((tmp_path / "january_files").rglob("*.dcm"))


def of_language(language: str) -> list[Piece]:
    return [piece for piece in EVERYTHING if piece.language == language and not piece.rows]


@pytest.mark.parametrize("piece", of_language("sql"), ids=lambda piece: piece.text[:40])
def test_a_statement_of_a_document_answers(demo: Path, piece: Piece) -> None:
    with crawler.open_lake(demo / "lake") as lake:
        assert lake.sql(piece.text).fetchall() or "state <> 'complete'" in piece.text


@pytest.mark.parametrize("document", sorted({piece.document for piece in of_language("python")}))
def test_the_python_of_a_document_runs(
    site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch, document: str
) -> None:
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}
    for piece in of_language("python"):
        if piece.document == document:
            exec(translated(piece.text, site.meant), names)


@pytest.mark.parametrize("piece", of_language("toml"), ids=lambda piece: f"{piece.document} {piece.block}")
def test_the_settings_of_a_document_are_read(piece: Piece, tmp_path: Path) -> None:
    (tmp_path / "block.toml").write_text(whole(piece))
    if piece.document == "docs/deidentification.md":
        read_recipe(str(tmp_path / "block.toml"))
    elif piece.document == "docs/simulator.md":
        load_profile(tmp_path / "block.toml")
    else:
        load(tmp_path / "block.toml")


def whole(piece: Piece) -> str:
    """Add to a part of a file what the rest of it must say."""
    text = piece.text.replace("...64 digits in all", "0" * 60)
    if piece.document == "docs/deidentification.md":
        return text if text.startswith("name") else f'name = "ours"\nversion = "1"\n{text}'
    if piece.document == "docs/simulator.md":
        return text
    if not text.startswith(("[", "#")):  # keys of the section of a PACS
        text = f"[pacs.main]\ntls = true\n{text}"
    said = tomllib.loads(text)
    for name, one in said.get("pacs", {}).items():
        usual = {"host": '"127.0.0.1"', "port": "104", "ae_title": '"MAIN"'} if "kind" not in one else {}
        lines = "".join(f"{key} = {value}\n" for key, value in usual.items() if key not in one)
        text = text.replace(f"[pacs.{name}]\n", f"[pacs.{name}]\n{lines}")
    return text if "lake" in said else f'{text}[lake]\npath = "lake"\n'
