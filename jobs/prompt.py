"""The prompt of `pacslake sql`: statements over several lines, a history, and errors that do not end it.

Touches: terminal, disk (the history, readable by its owner alone because statements may name patients).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import crawler
from crawler.errors import PacslakeError
from crawler.lake.schema import literal
from jobs.query import Form, write
from jobs.statements import is_blank, split

if TYPE_CHECKING:
    from crawler.lake.query import Lake

HISTORY = Path("~/.pacslake_history")
HISTORY_LINES = 2000

HELP = """\
Type SQL; a semicolon ends a statement.
.tables          what can be asked
.schema [TABLE]  the columns of one table, or of all
.refresh         move on to the newest commit
.quit            leave (so does Ctrl-D)"""

COLUMNS = "duckdb_columns() where not internal"
TABLES = f"select distinct table_name from {COLUMNS} order by table_name"
SCHEMA = f"select table_name, column_name, data_type from {COLUMNS} {{only}} order by table_name, column_index"


def prompt(path: Path, as_of: str | None = None) -> None:
    """Answer what is typed until it ends."""
    with crawler.open_lake(path, as_of) as lake, _history():
        known = f", as known on {as_of}" if as_of else ""
        print(f"Lake {path}, version {lake.version}{known}. Type .help for help.", file=sys.stderr)
        typed = ""
        while True:
            try:
                typed += input("   ...> " if typed else "pacslake> ") + "\n"
            except EOFError:
                print(file=sys.stderr)
                return
            except KeyboardInterrupt:
                print(file=sys.stderr)
                typed = ""
                continue
            if typed.strip() in (".quit", ".exit"):
                return
            typed = _take(lake, typed)


def _take(lake: Lake, typed: str) -> str:
    """Run what is complete; give what is not. An error is said, and the prompt goes on."""
    statements, rest = ([], "") if typed.startswith(".") else split(typed)
    try:
        if typed.startswith("."):
            _command(lake, typed.split())
        for statement in statements:
            write(lake, statement, Form())
    except PacslakeError as error:
        print(error, file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    return "" if is_blank(rest) else rest


def _command(lake: Lake, words: list[str]) -> None:
    match words:
        case [".tables"]:
            write(lake, TABLES, Form())
        case [".schema"]:
            write(lake, SCHEMA.format(only=""), Form())
        case [".schema", table]:
            write(lake, SCHEMA.format(only=f"and table_name = {literal(table)}"), Form())
        case [".refresh"]:
            print(f"version {lake.refresh()}")
        case _:
            print(HELP)


@contextmanager
def _history() -> Iterator[None]:
    """Keep what was typed for the next time, where Python was built with readline."""
    try:
        import readline
    except ImportError:
        yield
        return
    kept = HISTORY.expanduser()
    if kept.exists():
        readline.read_history_file(kept)
    readline.set_history_length(HISTORY_LINES)
    try:
        yield
    finally:
        kept.touch(mode=0o600)
        readline.write_history_file(kept)
