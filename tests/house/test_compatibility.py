"""docs/compatibility.md names what is public, no more and no less: names in Python, exit codes, the lake's format."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import crawler
from crawler import errors
from crawler.export.images import LakeOfImages
from crawler.lake.format import FORMAT
from jobs.exits import Exit

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "compatibility.md").read_text()


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def first_cells(text: str) -> list[str]:
    """Give what the first column of a table names, without its heading."""
    return [cell.strip("`") for cell in re.findall(r"^\| ([^|]+?) \|", text, re.MULTILINE)][1:]


def test_the_public_names_are_those_of_the_page() -> None:
    assert sorted(first_cells(section("Python"))) == [f"crawler.{name}" for name in sorted(crawler.__all__)]
    assert all(callable(getattr(crawler, name)) for name in crawler.__all__)


def test_what_the_page_names_of_an_open_lake_is_there() -> None:
    [sentence] = re.findall(r"Of what `open_lake` returns: (.*?)\.\s", section("Python"), re.DOTALL)
    named = re.findall(r"`(\w+)`", sentence.replace("`with`", ""))
    assert {name for name in named if name != "path" and not hasattr(LakeOfImages, name)} == set()
    assert "path" in named
    assert hasattr(LakeOfImages, "__enter__")
    assert issubclass(errors.UserError, errors.PacslakeError)


def test_the_exit_codes_are_those_of_the_page() -> None:
    assert first_cells(section("Exit codes")) == [str(code.value) for code in sorted(Exit)]


def test_the_format_and_the_release_are_those_of_the_page() -> None:
    assert f"this release writes format {FORMAT}." in section("Lakes of other releases")
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
