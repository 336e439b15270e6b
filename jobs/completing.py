"""Names out of pacslake.toml, for a shell that completes what is being typed. Touches: disk.

The file is read as it is, without checking it: half a tenth of a second is what a person waits for after the key.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import click

Completion = Callable[[click.Context, click.Parameter, str], list[str]]


def names_of(*sections: str) -> Completion:
    """Give what completes the name of a section, of `[pacs.NAME]` say. Nothing where the file cannot be read."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        typed = ctx.params.get(param.name or "") or ()
        known = _names(Path(ctx.params.get("config") or "pacslake.toml"), sections)
        return [name for name in known if name.startswith(incomplete) and name not in typed]

    return complete


def _names(config: Path, sections: tuple[str, ...]) -> list[str]:
    try:
        content = tomllib.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    tables = (content.get(section) for section in sections)
    return [name for table in tables if isinstance(table, dict) for name in table]
