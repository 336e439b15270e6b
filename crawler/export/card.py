"""The card of a dataset: what it has, how it was de-identified and what it is not good for. Markdown and HTML.

`card.html` is one file that stands for itself; `card.md` shows the figures in `card/`. Of patients nothing is read but
the table of files, which de-identification left. Touches: disk.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import jinja2
import pyarrow as pa

from crawler.export.figures import WIDTH, draw, in_words
from crawler.export.summary import FEWEST, Summary, Table, summarize
from crawler.export.whole import whole_file

MARKDOWN, HTML, FIGURES = "card.md", "card.html", "card"
_HIDDEN_NOTE = (
    f"Numbers of fewer than {FEWEST} patients are not told (–), nor those from which they would follow. A patient may "
    "stand in several rows."
)
_YEARS_NOTE = "Days are shifted, for each patient by another number of days: years may be off by one or more."
_LIMITS = (
    "De-identification lowers the risk that somebody is recognised; it does not take it away. Faces can be "
    "reconstructed from images of heads, rare findings are known to those who treated them, and other data can be "
    "linked. Do not try to find out who somebody is.",
    "What is here was found in clinical archives and was not collected for research: it stands for the patients of its "
    "sites and their scanners, and for no population.",
)
_NO_LICENCE = "None is stated here. Ask whoever gave you this dataset before you use it or pass it on."


@dataclass(frozen=True, slots=True)
class Card:
    """What is said of a dataset beside its numbers, as plain texts."""

    name: str
    version: str
    """Of pacslake."""
    made_on: str = ""
    text: Sequence[str] = ()
    """Paragraphs at the top."""
    method: Sequence[str] = ()
    """Paragraphs on how it was de-identified."""
    facts: Sequence[tuple[str, str]] = ()
    """Further lines of that: recipe, edition of the standard, what was kept back."""
    limits: Sequence[str] = ()
    """Paragraphs before those on limits that every dataset has."""
    licence: str = ""
    dates_shifted: bool = True


@dataclass(frozen=True, slots=True)
class _Figure:
    """A picture: its file, the same for a page that has no files, and in words."""

    file: str
    inline: str
    alt: str
    width: int = WIDTH


def write_card(files: pa.Table, out: Path, about: Card) -> list[str]:
    """Write the card of a dataset, a table of `FILES`, into the folder `out`; give the files, relative to that."""
    summary = summarize(files)
    (out / FIGURES).mkdir(parents=True, exist_ok=True)
    figures = {}
    for table in summary.tables:
        file, drawn = f"{FIGURES}/{table.key}.svg", draw(table, _templates().get_template("figure.svg.j2"))
        _write(out / file, drawn)
        encoded = base64.b64encode(drawn.encode()).decode()
        figures[table.key] = _Figure(file, f"data:image/svg+xml;base64,{encoded}", in_words(table))
    known = {
        "about": about,
        "numbers": _numbers(summary),
        "tables": [_noted(table, about) for table in summary.tables],
        "figures": figures,
        "hidden_note": _HIDDEN_NOTE,
        "limits": [*about.limits, *_LIMITS],
        "licence": about.licence or _NO_LICENCE,
    }
    for name in (MARKDOWN, HTML):
        text = _templates().get_template(f"{name}.j2").render(known)
        _write(out / name, re.sub(r"\n{3,}", "\n\n", text))
    return [MARKDOWN, HTML, *(figure.file for figure in figures.values())]


def _write(target: Path, text: str) -> None:
    with whole_file(target, overwrite=True) as draft:
        draft.write_text(text, encoding="utf-8")


def _numbers(summary: Summary) -> list[tuple[str, str]]:
    patients = f"fewer than {FEWEST}" if summary.patients is None else f"{summary.patients:,}"
    rest = (("studies", summary.studies), ("series", summary.series), ("files", summary.files))
    return [("patients", patients), *((name, f"{number:,}") for name, number in rest)]


def _noted(table: Table, about: Card) -> Table:
    return replace(table, note=_YEARS_NOTE) if table.key == "years" and about.dates_shifted else table


@cache
def _templates() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=jinja2.select_autoescape(("html.j2", "svg.j2")),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    made.filters |= {"told": _told, "cell": _cell, "row": lambda text: f"| {text} |", "repeated": _repeated}
    return made


def _told(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"


def _cell(text: str) -> str:
    """Write a text into a table of Markdown, where a line would end it."""
    return re.sub(r"([\\|<>`*_\[\]])", r"\\\1", " ".join(str(text).split()))


def _repeated(text: str, times: int) -> Iterable[str]:
    return [text] * times
