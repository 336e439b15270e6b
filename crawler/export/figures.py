"""The figures of a dataset card: bars of a table's rows, with their numbers. Touches: disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crawler.export.extra import extra
from crawler.export.summary import Table
from crawler.export.whole import whole_file

_BAR, _HIDDEN, _INK, _SOFT = "#3d6b9e", "#e4e7eb", "#1f2933", "#616e7c"
_WIDTH, _HEIGHT_OF_ROW, _MARGIN = 4.6, 0.3, 0.55
"""In inches."""
_DPI = 160
_LONGEST_LABEL = 28
PIXELS = round(_WIDTH * 100)
"""How wide a figure is meant to be shown."""


def draw(table: Table, out: Path) -> str:
    """Draw how many patients each row has; give the same in words, for who does not see it."""
    figure_of = extra("matplotlib.figure", "figures").Figure
    height = _MARGIN + _HEIGHT_OF_ROW * len(table.rows)
    figure = figure_of(figsize=(_WIDTH, height), dpi=_DPI, layout="constrained")
    _bars(figure.subplots(), table)
    with whole_file(out, overwrite=True) as draft:
        figure.savefig(draft, format="png", metadata={"Software": None})
    return f"Bars: {table.title}, patients. " + "; ".join(f"{row.label}: {_number(row.patients)}" for row in table.rows)


def _bars(axes: Any, table: Table) -> None:
    places = range(len(table.rows))
    most = max([row.patients or 0 for row in table.rows] + [1])
    lengths = [row.patients if row.patients is not None else most * 0.02 for row in table.rows]
    axes.barh(places, lengths, height=0.68, color=[_BAR if row.told else _HIDDEN for row in table.rows])
    for place, row, length in zip(places, table.rows, lengths, strict=True):
        text, colour = (_number(row.patients), _INK if row.told else _SOFT)
        axes.annotate(text, (length, place), (4, 0), textcoords="offset points", va="center", fontsize=8, color=colour)
    axes.set_yticks(places, [_short(row.label) for row in table.rows], fontsize=8, color=_INK)
    axes.set_title(f"{table.title} (patients)", fontsize=9, color=_INK, loc="left")
    axes.set_xlim(0, most * 1.15)
    axes.invert_yaxis()
    axes.set_xticks([])
    axes.tick_params(length=0)
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)
    axes.spines["left"].set_color("#cbd2d9")


def _number(patients: int | None) -> str:
    return "not told" if patients is None else f"{patients:,}"


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 1]}…"
