"""The figures of a dataset card: bars of a table's rows, with their numbers, as SVG. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import jinja2

from crawler.export.summary import Row, Table

WIDTH = 460
"""How wide a figure is meant to be shown, in pixels of CSS."""
_HIDDEN = 0.02
"""How long the bar of a row is that is not told, as a share of the longest."""
_LONGEST_LABEL = 28


@dataclass(frozen=True, slots=True)
class _Bar:
    short: str
    number: str
    share: float
    told: bool


def draw(table: Table, template: jinja2.Template) -> str:
    """Draw how many patients each row has."""
    most = max([row.patients or 0 for row in table.rows] + [1])
    return template.render(title=table.title, width=WIDTH, rows=[_bar(row, most) for row in table.rows])


def in_words(table: Table) -> str:
    """Say what a figure shows, for who does not see it."""
    return f"Bars: {table.title}, patients. " + "; ".join(f"{row.label}: {_number(row)}" for row in table.rows)


def _bar(row: Row, most: int) -> _Bar:
    share = _HIDDEN if row.patients is None else row.patients / most
    return _Bar(_short(row.label), _number(row), share, row.told)


def _number(row: Row) -> str:
    return "not told" if row.patients is None else f"{row.patients:,}"


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 1]}…"
