"""docs/ becomes a site without a warning, and the commands of its pages for people run as they are written."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crawler.settings import load
from docs.making import made
from tests.acceptance.installed import ENVIRONMENT
from tests.acceptance.typed import type_all

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
LIST = 'pacslake export --sql "select AccessionNumber from studies limit 2" --output accessions.csv'
"""What a page for people takes for granted."""
PEOPLE = sorted([*DOCS.glob("for-*.md"), DOCS / "upgrade.md"])


def commands(page: str) -> list[tuple[str, str]]:
    """Give each command of a page with the answer that is printed below it, which may be none."""
    blocks = re.findall(r"```console\n(.*?)```", page, re.DOTALL)
    return [found for block in blocks for found in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)]


def run(folder: Path, page: list[tuple[str, str]]) -> None:
    """Type each command; where the page shows an answer, it must be that."""
    for (command, answer), typed in zip(page, type_all(folder, [command for command, _ in page]), strict=False):
        assert typed.code == 0, f"{command}: {typed.said}"
        assert typed.output == (answer or typed.output)


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return str(one.getsockname()[1])


def test_the_site_is_made_without_a_warning() -> None:
    folder = made()
    assert {path.name for path in (folder / "man").iterdir()} == {"pacslake.1", "pacslake.toml.5"}
    pages = {path.relative_to(folder / "html").with_suffix("").as_posix() for path in folder.rglob("html/**/*.html")}
    assert {path.stem for path in DOCS.glob("*.md")} <= pages
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//[^\"]*\.(?:js|css|woff2?)", read_all(folder / "html"))
    assert "pacslake cohort retrieve" in (folder / "man" / "pacslake.1").read_text()


def read_all(folder: Path) -> str:
    return "".join(path.read_text() for path in folder.rglob("*.html"))


@contextmanager
def tutorial(folder: Path) -> Iterator[list[tuple[str, str]]]:
    """Begin as the tutorial says, at free ports; give what is typed from then on, while its PACS runs."""
    page = (DOCS / "tutorial.md").read_text()
    for port in ("11112", "11113"):
        page = page.replace(port, free_port())
    [settings] = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (folder / "pacslake.toml").write_text(settings)
    (start, _), *others = commands(page)
    port = re.findall(r"^port = (\d+)", settings, re.MULTILINE)[-1]
    words = f"exec {start.removesuffix(' &')} --port {port}"
    with subprocess.Popen(words, shell=True, cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as pacs:
        assert pacs.stdout is not None
        try:
            assert "listening on" in pacs.stdout.readline()
            yield others
        finally:
            pacs.terminate()


def test_the_commands_run_as_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Go through the tutorial, then through the pages for people with the lake that it left."""
    pages = [path.read_text() for path in PEOPLE]
    found = [commands(page) for page in pages]
    assert all(found)
    with tutorial(tmp_path) as typed:
        with (tmp_path / "pacslake.toml").open("a") as file:
            file.write('[serve]\nlisten = ""\npassword_file = "users"\n')
        run(tmp_path, [*typed, (LIST, ""), *(command for page in found for command in page)])
    assert list((tmp_path / "january_files").rglob("*.dcm"))
    monkeypatch.chdir(tmp_path)
    for page in pages:
        for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
            exec(block, {})
        for block in re.findall(r"```toml\n(.*?)```", page, re.DOTALL):
            place = 'host = "127.0.0.1"\nport = 104\nae_title = "MAIN"\n'
            (tmp_path / "block.toml").write_text(f'[lake]\npath = "lake"\n{block}{place}')
            assert load(tmp_path / "block.toml").pacs
