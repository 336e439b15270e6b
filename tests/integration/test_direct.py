"""`pacslake move` and `pacslake get` against real Orthanc and dcmqrscp: what came is what they have."""

from __future__ import annotations

import asyncio
import contextlib
import json
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest
from pydicom import dcmread

from jobs.cli import main
from tests.acceptance.installed import ENVIRONMENT
from tests.integration.files import ROOT
from tests.integration.retrieving import RealPacs, contents, sticking

STUDY, SERIES = f"{ROOT}.1.1", f"{ROOT}.1.1.2"


def run(folder: Path, *words: str) -> int:
    """Do what is typed, without a process of its own: most of its time would be imports."""
    with contextlib.chdir(folder):
        return main(words)


def address(pacs: RealPacs) -> str:
    return f"{pacs.peer.called_ae}@127.0.0.1:{pacs.peer.port}"


def here(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}


def lies_as_it_is_held(folder: Path, pacs: RealPacs, instances: set[str]) -> None:
    """Compare the files of a folder with those of the PACS, and their places with what they are."""
    truth = {uid: pacs.sources[uid] for uid in instances}
    assert here(folder) == {
        Path(one.StudyInstanceUID) / one.SeriesInstanceUID / f"{uid}.dcm" for uid, one in truth.items()
    }
    for path in here(folder):
        assert contents(dcmread(folder / path)) == contents(truth[path.stem])


@pytest.mark.parametrize("way", ["move", "get"])
def test_a_study_comes_whole_and_is_not_asked_for_again(
    tmp_path: Path, pacs: RealPacs, way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    port = ["--port", str(pacs.destination)] if way == "move" else []
    words = [way, address(pacs), "--study", STUDY, "--to", "out", *port]
    assert run(tmp_path, *words) == 0
    wanted = pacs.of("StudyInstanceUID", STUDY)
    assert f"2 of 2 series complete, {len(wanted)} of {len(wanted)} instances here;" in capsys.readouterr().err
    lies_as_it_is_held(tmp_path / "out", pacs, wanted)
    lost = sorted(path for path in here(tmp_path / "out") if path.parent.name == SERIES)[0]
    (tmp_path / "out" / lost).unlink()
    assert run(tmp_path, *words, "--format", "json") == 0
    [found] = json.loads(capsys.readouterr().out)["pacs"].values()
    assert found["instances"] == {"here": len(wanted), "of": len(wanted), "came": 1}
    lies_as_it_is_held(tmp_path / "out", pacs, wanted)


def test_a_series_an_image_and_a_patient(tmp_path: Path, pacs: RealPacs) -> None:
    one = sorted(pacs.of("SeriesInstanceUID", SERIES))[0]
    assert run(tmp_path, "get", address(pacs), "--series", SERIES, "--to", "series") == 0
    assert run(tmp_path, "get", address(pacs), "--image", one, "--to", "image") == 0
    patient = ["--patient", "P001", "--model", "patient", "--to", "patient"]
    assert run(tmp_path, "get", address(pacs), *patient) == 0
    lies_as_it_is_held(tmp_path / "series", pacs, pacs.of("SeriesInstanceUID", SERIES))
    lies_as_it_is_held(tmp_path / "image", pacs, {one})
    lies_as_it_is_held(tmp_path / "patient", pacs, pacs.of("PatientID", "P001"))


def test_what_must_be_registered_is_said(tmp_path: Path, pacs: RealPacs, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pacslake.toml").write_text(
        f'[lake]\npath = "lake"\n[local]\nport = {pacs.destination}\n[pacs.main]\nhost = "127.0.0.1"\n'
        f'port = {pacs.peer.port}\nae_title = "{pacs.peer.called_ae}"\nretrieve_patience = 0.02\n'
    )
    words = ["move", "main", "--series", SERIES, "--to", "out", "--aet", "NOBODY"]
    assert run(tmp_path, *words) == 3
    said = capsys.readouterr().err
    assert f"AE title NOBODY at host 127.0.0.1, port {pacs.destination}, " in said
    assert "none of 3 instances came; " in said
    assert here(tmp_path / "out") == set()


def test_what_is_not_there_is_said(tmp_path: Path, pacs: RealPacs, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["get", address(pacs), "--series", SERIES, "--series", f"{ROOT}.99", "--to", "out"]
    assert run(tmp_path, *words) == 3
    assert f"lists nothing of {ROOT}.99; some PACS find it only with its study" in capsys.readouterr().err
    lies_as_it_is_held(tmp_path / "out", pacs, pacs.of("SeriesInstanceUID", SERIES))


def test_what_is_sent_elsewhere_is_told_as_the_pacs_counts_it(
    tmp_path: Path, pacs: RealPacs, capsys: pytest.CaptureFixture[str]
) -> None:
    async def send() -> tuple[str, str]:
        async with sticking(pacs.destination, answered=100):
            process = await asyncio.create_subprocess_exec(
                "pacslake", *words, stdout=PIPE, stderr=PIPE, env=ENVIRONMENT, cwd=tmp_path
            )
            out, err = await process.communicate()
            assert process.returncode == 0, err
            return out.decode(), err.decode()

    words = ["move", address(pacs), "--series", SERIES, "--destination", "PACSLAKE", "--format", "json"]
    out, err = asyncio.run(send())
    assert json.loads(out)["instances"]["completed"] == 3
    assert "Whether they arrived cannot be seen from here." in err
    words[5] = "NOBODY"
    assert run(tmp_path, *words) == 3
    assert "NOBODY, its host and port, is registered at" in capsys.readouterr().err
