"""The documents that come with the program, for whoever reads them without the internet. Touches: disk.

A wheel carries docs/ inside this package, and what Sphinx made of it for browsers. In which order they are read,
docs/index.md says. The service renders the Markdown itself: Sphinx's pages have styles and scripts inside, which the
policy of its own pages forbids (crawler/serve/web/safety.py).
"""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from crawler.errors import UserError
from jobs.wiring import EXAMPLE, shipped

ABOVE = {"readme": "README.md", "security": "SECURITY.md", "changelog": "CHANGELOG.md"}
"""They lie in the folder above docs/."""
ROUTE = "/docs"
"""Where the service shows them."""

_HERE = Path(__file__).parent
_HTML = "made/html"
"""Below docs/."""
_PARTS = re.compile(r"```\{toctree\}\n:titlesonly:\n:caption: (.*)\n((?:.+\n)*?)```")
_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
_PREAMBLE = re.compile(r"\A---\n.*?\n---\n+", re.DOTALL)
"""What tells Jupyter that a page is a notebook."""
_WIDTH = 100


@dataclass(frozen=True, slots=True)
class Document:
    """One page: what it is asked for by, its title, and in Markdown what stands below that."""

    name: str
    title: str
    text: str


def parts() -> Iterator[tuple[str, list[str]]]:
    """Give each part of the documents with the names of its pages, in the order in which they are read."""
    for caption, lines in _PARTS.findall((_folder() / "index.md").read_text(encoding="utf-8")):
        names = [line.removeprefix("generated/") for line in lines.split()]
        yield caption, [name for name in names if name in _MADE or _file(name) is not None]


def document(name: str) -> Document:
    """Read one page. UserError where there is none of this name."""
    known = [one for _, names in parts() for one in names]
    name = name.removeprefix("docs/").removesuffix(".md")
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "`pacslake docs` lists them"
        raise UserError(f"there is no document {name!r}; {hint}")
    return _read(name)


def title_of(name: str) -> str:
    """Give the title of a page that there is."""
    return name.capitalize() if name in _MADE else _read(name).title


def linked(found: Document) -> str:
    """Give a page's text with links to where the service shows the others; what is not here is named alone."""
    known = {one for _, names in parts() for one in names}
    above = {file: name for name, file in ABOVE.items()}
    base = "" if found.name in ABOVE else posixpath.join("docs", posixpath.dirname(found.name))

    def led(link: re.Match[str]) -> str:
        text, to = link.groups()
        if to.startswith("#"):
            return text
        path = posixpath.normpath(posixpath.join(base, to))
        name = above.get(path, path.removeprefix("docs/").removesuffix(".md"))
        if to.startswith("http"):
            return link[0]
        return f"[{text}]({ROUTE}/{name})" if name in known or path.startswith("docs/pictures/") else f"`{text}`"

    return _LINK.sub(led, found.text)


def picture(name: str) -> bytes:
    """Read a picture of the documents. UserError where there is none of this name."""
    for folder in (_folder() / "pictures", _folder() / _HTML / "_images"):  # a wheel has the latter alone
        for path in folder.glob("*.png"):
            if path.name == name:
                return path.read_bytes()
    raise UserError(f"there is no picture {name!r}")


def html_of(name: str = "index") -> Path:
    """Give the file of a page for browsers. UserError where there is no such page, or nobody has made them."""
    if name != "index":
        name = document(name).name
    place = "" if (_folder() / f"{name}.md").is_file() else "generated/"
    path = _folder() / _HTML / f"{place}{name}.html"
    if not path.is_file():
        raise UserError(f"there is no {path}: every wheel has these pages; in a clone, `make docs` makes them")
    return path


def commands() -> str:
    """Give the help of each command, as a page."""
    from jobs.cli import cli

    introduction = "As `--help` prints it. `pacslake docs compatibility` says what the exit codes mean."
    found = [f"# Commands\n\n{introduction}\n"]
    for command, name in _walk(cli, "pacslake"):
        context = click.Context(command, info_name=name, max_content_width=_WIDTH, terminal_width=_WIDTH)
        found.append(f"## {name}\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(found)


def settings() -> str:
    """Give the example, which has every key, as a page."""
    introduction = (
        "Every key of `pacslake.toml`. A line that begins with `#` and a key shows its default, or an example."
    )
    return f"# Settings\n\n{introduction}\n\n```toml\n{shipped(EXAMPLE)}```\n"


_MADE: dict[str, Callable[[], str]] = {"commands": commands, "settings": settings}
"""Pages that are made out of the program."""


def _folder() -> Path:
    return next(place for place in (_HERE / "docs", _HERE.parent / "docs") if place.is_dir())


def _read(name: str) -> Document:
    file = _file(name)
    text = _MADE[name]() if file is None else file.read_text(encoding="utf-8")
    title, _, rest = _PREAMBLE.sub("", text).partition("\n")
    return Document(name, title.removeprefix("# "), rest.lstrip())


def _file(name: str) -> Path | None:
    places = (_folder() / f"{name}.md", _folder() / ABOVE.get(name, name), _folder().parent / ABOVE.get(name, name))
    return next((place for place in places if place.is_file()), None)


def _walk(command: click.Command, name: str) -> Iterator[tuple[click.Command, str]]:
    yield command, name
    if isinstance(command, click.Group):
        context = click.Context(command)
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            if found is not None:
                yield from _walk(found, f"{name} {each}")
