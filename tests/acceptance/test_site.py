"""docs/ becomes a site without a warning."""

from __future__ import annotations

import re
from pathlib import Path

from docs.making import WARNINGS, made

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def test_the_site_is_made_without_a_warning() -> None:
    folder = made()
    assert (folder / WARNINGS).read_text() == ""
    assert {path.name for path in (folder / "man").iterdir()} == {"pacslake.1", "pacslake.toml.5"}
    pages = {path.relative_to(folder / "html").with_suffix("").as_posix() for path in folder.rglob("html/**/*.html")}
    assert {path.stem for path in DOCS.glob("*.md")} <= pages
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//[^\"]*\.(?:js|css|woff2?)", read_all(folder / "html"))
    assert "pacslake cohort retrieve" in (folder / "man" / "pacslake.1").read_text()


def read_all(folder: Path) -> str:
    return "".join(path.read_text() for path in folder.rglob("*.html"))
