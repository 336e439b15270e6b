"""`pacslake sql`: write the answer of a statement in the format asked for. Touches: disk, standard output."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import crawler
from crawler.errors import UserError
from crawler.lake.answer import interruptibly, plain_errors, save, stream
from jobs.statements import is_blank, split
from jobs.table import render

if TYPE_CHECKING:
    from crawler.lake.passing import Passing
    from crawler.lake.query import Lake

TABLE = "table"
CHUNK = 1000
"""Rows of a table that are aligned together."""


@dataclass(frozen=True, slots=True)
class Form:
    """How an answer is written: a format, and a file instead of standard output."""

    kind: str = TABLE
    output: Path | None = None


def answer(path: Path, text: str, form: Form, as_of: str | None = None) -> None:
    """Open a lake, run the statements one after the other and write the answer of each."""
    if is_blank(text):
        raise UserError("there is no statement to run")
    statements, rest = split(text)
    with crawler.open_lake(path, as_of) as lake:
        for statement in statements if is_blank(rest) else [*statements, rest]:
            write(lake, statement, form)


def write(lake: Lake | Passing, statement: str, form: Form) -> None:
    """Run one statement on an open lake, or on what passes for one, and write its answer."""
    connection = lake.connection
    with plain_errors():
        relation = interruptibly(connection, lambda: lake.sql(statement))
        if form.output is not None:
            file = form.output
            interruptibly(connection, lambda: save(relation, form.kind, file))
        elif form.kind != TABLE:
            stream(connection, relation, form.kind, sys.stdout.buffer)
        else:
            rows = relation.iter_rows(CHUNK)
            chunks = iter(lambda: interruptibly(connection, lambda: list(islice(rows, CHUNK))), [])
            _print_table(relation.columns, chunks)


def _print_table(columns: list[str], chunks: Iterator[list[tuple[Any, ...]]]) -> None:
    """Print rows under their columns' names, aligned chunk by chunk; no row still gives the names."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    first = next(chunks, [])
    if not first and columns == ["Success"]:  # what DuckDB answers to SET, BEGIN and their like
        return
    for chunk in chain([first], chunks):
        print("\n".join(render(columns, chunk, width)))
