"""The documents that come with the program: all of them are found, and what leads from one to another."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crawler.errors import UserError
from jobs import manual

DOCS = Path(__file__).parents[3] / "docs"
NAMES = [name for _, names in manual.parts() for name in names]


def test_every_page_is_listed_once() -> None:
    written = {path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.rglob("*.md")}
    made = {name for name in written if name.startswith("generated/")}
    assert set(NAMES) == written - made - {"index"} | {"readme", "security", "changelog", "commands", "settings"}
    assert len(NAMES) == len(set(NAMES))


@pytest.mark.parametrize("name", NAMES)
def test_a_page_has_a_title_and_its_links_lead_to_what_is_there(name: str) -> None:
    found = manual.document(name)
    assert found.title == manual.title_of(name) != ""
    assert not found.text.startswith(("# ", "---"))
    for to in re.findall(r"\]\(([^)\s]+)\)", manual.linked(found)):
        if picture := to.partition("/docs/pictures/")[2]:
            assert manual.picture(picture).startswith(b"\x89PNG")
        else:
            assert to.startswith("https://") or to.removeprefix("/docs/") in NAMES


def test_links_to_other_folders_are_followed() -> None:
    text = "[a](docs/find.md) [b](https://b.example/) ![c](docs/pictures/sql.png) [d](config/x.toml)"
    above = manual.linked(manual.Document("readme", "", f"{text} [e](SECURITY.md) [f](#ask)"))
    assert above == "[a](/docs/find) [b](https://b.example/) ![c](/docs/pictures/sql.png) `d` [e](/docs/security) f"
    below = manual.linked(manual.Document("notebooks/drift", "", "[a](cohort.md) [b](../find.md) [c](../../README.md)"))
    assert below == "[a](/docs/notebooks/cohort) [b](/docs/find) [c](/docs/readme)"


@pytest.mark.parametrize("name", ["tutorail", "../README", "generated/commands", "index", "/etc/passwd"])
def test_what_is_no_page_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=r"there is no document .*; (did you mean '[a-z]+'\?|`pacslake docs` lists)"):
        manual.document(name)
    with pytest.raises(UserError, match="there is no picture"):
        manual.picture(f"../{name}")
    if name != "index":
        with pytest.raises(UserError, match="there is no document"):
            manual.html_of(name)


def test_without_pages_for_browsers_it_says_what_makes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manual, "_HTML", "nowhere")
    with pytest.raises(UserError, match=r"docs/nowhere/generated/readme\.html: .* `make docs` makes them"):
        manual.html_of("readme")
