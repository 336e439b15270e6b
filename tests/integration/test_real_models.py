"""Orthanc and dcmqrscp by lists of UIDs, by days and under the patient models: the same rows as study by study."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import crawler
from tests.acceptance.installed import pacslake
from tests.integration.files import made_files
from tests.integration.real_pacs import dcmqrscp, orthanc

STUDIES = 18
PATIENTS = [(f"P{number:03}",) for number in range(1, 7)]
OFFERED = {"ORTHANC": ["patient"], "DCMQRSCP": ["patient", "patient_study"]}
TABLES = ("studies", "series")
KEPT = "* exclude (changed_at, first_seen_at, sweep_id)"


@pytest.fixture(scope="module", params=["orthanc", "dcmqrscp"])
def server(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    orthanc_binary: Path,
    dcmtk_tool: Callable[[str], Path],
) -> Iterator[tuple[str, int]]:
    folder = tmp_path_factory.mktemp(request.param)
    files = made_files(tmp_path_factory.mktemp("files"))
    if request.param == "orthanc":
        running = orthanc(orthanc_binary, folder, files)
    else:
        running = dcmqrscp(dcmtk_tool("dcmqrscp"), dcmtk_tool("dcmqridx"), folder, files)
    with running as port:
        yield request.param.upper(), port


def crawled(folder: Path, server: tuple[str, int], *before: str, **settings: str) -> dict[str, Any]:
    """Sweep into a new lake, after another command; give its tables."""
    folder.mkdir()
    name, port = server
    more = "".join(f"{key} = {value}\n" for key, value in settings.items())
    (folder / "pacslake.toml").write_text(
        f'[lake]\npath = "lake"\n[pacs.real]\nhost = "127.0.0.1"\nport = {port}\nae_title = "{name}"\n{more}'
    )
    if before:
        assert pacslake(folder, *before).returncode in (0, 3)
    done: subprocess.CompletedProcess[bytes] = pacslake(folder, "sweep")
    assert done.returncode == 0, done.stderr.decode()
    with crawler.open_lake(folder / "lake") as lake:
        tables: dict[str, Any] = {one: lake.sql(f"select {KEPT} from {one} order by all").fetchall() for one in TABLES}
        asked = "select sum(queries) from windows where level = 'series'"
        tables["queries"] = lake.sql(asked).fetchall()[0][0]
        tables["patients"] = lake.sql("select PatientID from patients order by all").fetchall()
    return tables


def test_check_finds_lists_and_a_sweep_uses_them(tmp_path: Path, server: tuple[str, int]) -> None:
    plain = crawled(tmp_path / "plain", server)
    # What the check says of Modality would change how studies are asked for.
    found_out = ("check", "real", "--day", "2024-02-29")
    by_lists = crawled(tmp_path / "lists", server, *found_out, study_modality="false")
    assert [len(plain[one]) for one in TABLES] == [STUDIES, 2 * STUDIES]
    for one in TABLES:
        assert by_lists[one] == plain[one], one
    assert plain["queries"] >= STUDIES > by_lists["queries"]


def test_relational_queries_bring_the_same(tmp_path: Path, server: tuple[str, int]) -> None:
    plain = crawled(tmp_path / "plain", server)
    by_days = crawled(tmp_path / "days", server, relational="true", uid_lists="false")
    for one in TABLES:
        assert by_days[one] == plain[one], one
    # Orthanc answers them, though it grants nothing; dcmqrscp refuses, and is asked for each study.
    refused = server[0] == "DCMQRSCP"
    assert plain["queries"] == STUDIES
    assert by_days["queries"] <= STUDIES + 3 if refused else by_days["queries"] < STUDIES / 2


def test_the_patient_models_bring_the_same(tmp_path: Path, server: tuple[str, int]) -> None:
    plain = crawled(tmp_path / "plain", server)
    assert plain["patients"] == PATIENTS
    for model in OFFERED[server[0]]:
        by_patients = crawled(tmp_path / model, server, model=f'"{model}"')
        assert by_patients["studies"] == plain["studies"]
        assert by_patients["series"] == (plain["series"] if model == "patient" else [])
        assert by_patients["patients"] == PATIENTS
