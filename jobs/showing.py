"""Print what was gathered: as a table that fits the terminal, or as JSON.

Touches: the terminal's width, standard output."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from jobs.table import render

if TYPE_CHECKING:
    from pydantic import BaseModel


def print_json(found: BaseModel) -> None:
    """Print it whole."""
    click.echo(found.model_dump_json(indent=2))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], nothing: str) -> None:
    """Print rows, or the sentence that says that there are none."""
    cells = [["" if value is None else value for value in row] for row in rows]
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    click.echo("\n".join(render(columns, cells, width)) if cells else nothing)
