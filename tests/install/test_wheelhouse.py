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
from urllib.parse import unquote

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


@pytest.fixture(scope="module")
def installed(wheelhouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install it as its README says, without network; give the environment."""
    folder = tmp_path_factory.mktemp("installed") / "pacslake"
    said = (wheelhouse / "README.txt").read_text().replace("/opt/pacslake", str(folder))
    line = " && ".join(found.strip() for found in said.splitlines()[1:]).replace("python3 ", f"{sys.executable} ")
    cut_off = ["unshare", "--net"] if os.geteuid() == 0 else []
    done = subprocess.run([*cut_off, "sh", "-c", line], cwd=wheelhouse, env=ALONE, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == f"pacslake {version('pacslake')}"
    return folder


def test_what_the_wheelhouse_installs_works(installed: Path, tmp_path: Path) -> None:
    command = str(installed / "bin/pacslake")
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


def test_the_pages_come_with_it_for_browsers(installed: Path) -> None:
    """Each link leads to a page, a picture or a heading that is there."""
    listed = "from jobs import manual; print(*(manual.html_of(one) for _, names in manual.parts() for one in names))"
    done = subprocess.run([installed / "bin/python", "-c", listed], env=ALONE, capture_output=True, text=True)
    assert len(done.stdout.split()) > 40, done.stderr
    command = [str(installed / "bin/pacslake"), "docs", "--html"]
    index = Path(subprocess.run(command, env=ALONE, capture_output=True, text=True, check=True).stdout.strip())
    pages = {page: page.read_text() for page in index.parent.rglob("*.html")}
    assert index in pages
    assert "<h1>pacslake" in pages[index]
    for page, text in pages.items():
        for to in re.findall(r'(?:href|src)="(?!https?:|data:|mailto:)([^"]*)"', text):
            path, _, heading = unquote(to).partition("#")
            target = (page.parent / path.partition("?")[0]).resolve() if path else page
            assert target.is_file(), f"{page.name}: {to}"
            assert not heading or f'id="{heading}"' in pages[target], f"{page.name}: {to}"
    assert str(ROOT) not in "".join(pages.values())


def test_man_shows_the_manuals_of_an_environment_on_the_path(installed: Path, man: Path) -> None:
    environment = {**ALONE, "PATH": f"{installed / 'bin'}:{os.environ['PATH']}", "MANWIDTH": "80", "LC_ALL": "C.UTF-8"}
    for page, name, said in (
        ("man1/pacslake.1", "pacslake", "pacslake - crawl PACS into tables"),
        ("man5/pacslake.toml.5", "pacslake.toml", "pacslake.toml - settings of pacslake"),
    ):
        found = subprocess.run([man, "--path", name], env=environment, capture_output=True, text=True)
        assert found.stdout.strip() == str(installed / "share/man" / page), found.stderr
        shown = subprocess.run(
            [man, "--warnings", "--local-file", found.stdout.strip()], env=environment, capture_output=True, text=True
        )
        assert (shown.returncode, shown.stderr) == (0, "")
        assert said in shown.stdout


def test_a_wheel_out_of_an_sdist_is_the_same_to_the_byte_without_sphinx(wheelhouse: Path, tmp_path: Path) -> None:
    """And with other sources than the pages were made of there is none, but an editable one still."""
    (tmp_path / "sphinx.py").write_text("raise ImportError('there is no Sphinx here')")
    assert built("sdist", ROOT, tmp_path).returncode == 0
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as tar:
        tar.extractall(tmp_path, filter="data")
    [source] = tmp_path.glob("pacslake-*/")
    assert wanted(source) == []
    assert built("wheel", source, tmp_path).returncode == 0
    [wheel] = tmp_path.glob("*.whl")
    assert wheel.read_bytes() == next(wheelhouse.glob("pacslake-*.whl")).read_bytes()
    wheel.unlink()
    with (source / "crawler/settings.py").open("a") as file:
        file.write("# otherwise\n")
    done = built("wheel", source, tmp_path)
    assert done.returncode == 1
    assert "Sphinx could not make the HTML and man pages" in done.stderr
    assert "there is no Sphinx here" in done.stderr
    assert not list(tmp_path.glob("*.whl"))
    assert {"sphinx>=9.0", "click>=8.1"} <= set(wanted(source))
    editable = f"from hatchling.build import build_editable; build_editable({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", editable], cwd=source, env=ALONE, check=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as content:
        assert not [name for name in content.namelist() if name.endswith((".html", ".1"))]


def built(kind: str, source: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Build an sdist or a wheel with the modules of a folder before all others."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(folder)]
    return subprocess.run(command, cwd=source, env={**ALONE, "PYTHONPATH": str(folder)}, capture_output=True, text=True)


def wanted(source: Path) -> list[str]:
    """Give what a build with isolation installs besides hatchling."""
    asked = "import json, hatchling.build as one; print(json.dumps(one.get_requires_for_build_wheel()))"
    done = subprocess.run([sys.executable, "-c", asked], cwd=source, env=ALONE, capture_output=True, check=True)
    names: list[str] = json.loads(done.stdout)
    return names


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
