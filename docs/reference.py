"""Pages that are made out of the program: commands, settings, metrics; and those of the folder above."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from crawler.lake.writer import LakeWriter
from crawler.serve.metrics import Condition, registry_of
from jobs.cli import cli

ROOT = Path(__file__).parents[1]
ABOVE = ("README", "ARCHITECTURE", "SECURITY", "CHANGELOG", "CONTRIBUTING")
WIDTH = 100


def written_pages(folder: Path) -> None:
    """Write every page; those that are as they were are left alone, so that only changed ones are read again."""
    folder.mkdir(exist_ok=True)
    pages = {"commands": commands(), "settings": settings(), "metrics": metrics()}
    pages |= {name.lower(): from_above((ROOT / f"{name}.md").read_text()) for name in ABOVE}
    for name, text in pages.items():
        file = folder / f"{name}.md"
        if not file.exists() or file.read_text() != text:
            file.write_text(text)


def commands() -> str:
    """Give the help of each command."""
    introduction = "As `--help` prints it. [compatibility.md](../compatibility.md) says what the exit codes mean."
    parts = [f"# Commands\n\n{introduction}\n"]
    for command, name in _walk(cli, "pacslake"):
        context = click.Context(command, info_name=name, max_content_width=WIDTH, terminal_width=WIDTH)
        parts.append(f"## {name}\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


def settings() -> str:
    """Give the example, which has every key, section by section."""
    example = (ROOT / "config" / "pacslake.example.toml").read_text()
    introduction = (
        "Every key of `pacslake.toml`. A line that begins with `#` and a key shows its default, or an example."
    )
    return f"# Settings\n\n{introduction}\n\n```toml\n{example}```\n"


def metrics() -> str:
    """Give each metric of a lake, with its labels."""
    with tempfile.TemporaryDirectory() as folder:
        lake = Path(folder) / "lake"
        LakeWriter.open(lake).close()
        registry = registry_of(lake, Condition)
        rows = [f"| `{one.name}` | {one.type} | {one.documentation} |" for one in registry.collect()]
    introduction = "What `/metrics` and `pacslake metrics` give. Counters end in `_total` there."
    head = "| metric | type | says |\n|---|---|---|"
    return "\n".join([f"# Metrics\n\n{introduction}\n\n{head}", *rows, ""])


def from_above(text: str) -> str:
    """Give a page of the folder above with links that hold here."""
    text = re.sub(r"\]\(docs/", "](../", text)
    text = re.sub(rf"\]\(({'|'.join(ABOVE)})\.md", lambda found: f"]({found[1].lower()}.md", text)
    return re.sub(r"\[([^\]]*)\]\((?!\.\./|https?:|[a-z]+\.md)[^)]*\)", r"`\1`", text)


def _walk(command: click.Command, name: str) -> Iterator[tuple[click.Command, str]]:
    yield command, name
    if isinstance(command, click.Group):
        context = click.Context(command)
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            if found is not None:
                yield from _walk(found, f"{name} {each}")
