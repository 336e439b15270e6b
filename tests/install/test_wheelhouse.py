"""What is installed elsewhere: from the wheelhouse without any network, by the line that lies in it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALONE = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
"""Nothing of this machine's own that could bring a package, or this checkout, into the installation."""


@pytest.fixture(scope="module")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make it, and unpack the one file that people carry."""
    folder = tmp_path_factory.mktemp("wheelhouse")
    made_already = Path(sys.prefix, ".installed")  # make must not install anything here
    command = ["make", f"VENV={sys.prefix}", f"--old-file={made_already}", f"DIST={folder}/dist", "wheelhouse"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    [packed] = folder.glob(f"dist/pacslake-{version('pacslake')}-{sys.implementation.cache_tag}-*.tar")
    with tarfile.open(packed) as tar:
        tar.extractall(folder, filter="data")
    return folder / "wheelhouse"


def test_the_wheelhouse_installs_without_network_and_what_it_installs_works(wheelhouse: Path, tmp_path: Path) -> None:
    said = (wheelhouse / "README.txt").read_text().replace("/opt/pacslake", str(tmp_path / "pacslake"))
    line = " && ".join(found.strip() for found in said.splitlines()[1:]).replace("python3 ", f"{sys.executable} ")
    cut_off = ["unshare", "--net"] if os.geteuid() == 0 else []
    done = subprocess.run([*cut_off, "sh", "-c", line], cwd=wheelhouse, env=ALONE, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == f"pacslake {version('pacslake')}"
    command = str(tmp_path / "pacslake/bin/pacslake")
    for words in (
        ["init"],
        ["demo", "--studies", "50", "--log-level", "error"],
        ["dictionary"],
        ["conformance"],
        ["docs", "tutorial"],
    ):
        done = subprocess.run([command, *words], cwd=tmp_path, env=ALONE, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "pacslake.toml").read_text() == (ROOT / "config/pacslake.example.toml").read_text()


def test_the_wheelhouse_has_just_what_pacslake_runs_with_in_the_versions_that_were_tested(wheelhouse: Path) -> None:
    pins, build, tested = (pins_of(f"requirements.{kind}lock") for kind in ("service.", "build.", ""))
    assert pins | build <= tested
    packed = [wheel.name.split("-") for wheel in wheelhouse.glob("*.whl")]
    found = {(name.replace("_", "-"), release) for name, release, *_ in packed}
    assert len(found) > 20
    assert found <= pins | {("pacslake", version("pacslake"))}


def test_the_bill_of_materials_names_every_package_with_version_hash_and_licence(wheelhouse: Path) -> None:
    bill = json.loads((wheelhouse / "pacslake.cdx.json").read_text())
    named = bill["components"]
    assert {(one["name"], one["version"]) for one in named} == pins_of("requirements.service.lock")
    lock = (ROOT / "requirements.service.lock").read_text()
    assert all(said["content"] in lock for one in named for said in one["externalReferences"][0]["hashes"])
    sums = {line.split()[0] for line in (wheelhouse / "SHA256SUMS").read_text().splitlines()}
    packed = [one for one in (*named, bill["metadata"]["component"]) if "hashes" in one]
    assert {one["hashes"][0]["content"] for one in packed} == sums
    assert all("not said" not in str(one["licenses"]) for one in packed)


def pins_of(lock: str) -> set[tuple[str, str]]:
    return set(re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / lock).read_text(), re.MULTILINE))


def test_the_wheel_brings_one_command_and_no_test(wheelhouse: Path) -> None:
    """The one command is what pipx and `uv tool` look for."""
    [wheel] = wheelhouse.glob("pacslake-*.whl")
    with zipfile.ZipFile(wheel) as content:
        names = content.namelist()
        [points] = [name for name in names if name.endswith("entry_points.txt")]
        assert content.read(points).decode().split() == ["[console_scripts]", "pacslake", "=", "jobs.cli:main"]
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"crawler", "jobs", "pacslake"}
