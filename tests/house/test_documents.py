"""Documents name only what exists, and files that tools read keep their bounds."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from jobs.cli import COMMANDS, cli
from tests.documents import DOCUMENTS, ROOT

TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
MOST_LINES = {"Makefile": 80, "ARCHITECTURE.md": 300}


def unknown_names(text: str) -> Iterator[str]:
    """Give the paths, commands and make targets in code spans and blocks that do not exist."""
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL))
    for path in re.findall(r"(?<![\w./-])((?:crawler|jobs|tests|docs|config|benchmarks|examples)/[\w./-]*\w)", code):
        if not (ROOT / path).exists():
            yield path
    for command in re.findall(r"(?:^|[`$\n]) *pacslake ([a-z]+)\b", code):
        if command not in COMMANDS:
            yield f"pacslake {command}"
    for target in re.findall(r"(?:^|[`$\n]) *make ([a-z]+)\b", code):
        if target not in TARGETS:
            yield f"make {target}"


def misspelt(text: str) -> Iterator[str]:
    """Give the lines of a document's blocks that pacslake would not take: no such command, option or argument."""
    for block in re.findall(r"```(?:sh|console)\n(.*?)```", text, re.DOTALL):
        code = re.sub(r"(^|\s)#.*", "", block.replace("\\\n", " "), flags=re.MULTILINE)
        code = re.sub(r"\"[^\"]*\"|'[^']*'", "TEXT", code)
        for line in re.findall(r"(?:^|[$|&;] ?)pacslake ([^|&;<>)\n]*)", code, re.MULTILINE):
            command: click.Command = cli
            typed, context = line.split(), click.Context(command, info_name="pacslake")
            try:
                while isinstance(command, click.Group) and typed and not typed[0].startswith("-"):
                    _, found, typed = command.resolve_command(context, typed)
                    assert found is not None
                    command, context = found, click.Context(found, parent=context)
                command.make_parser(context).parse_args(typed)
            except click.UsageError:
                yield line.strip()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_document_has_commands_typed_as_pacslake_takes_them(document: Path) -> None:
    assert not list(misspelt(document.read_text()))


def test_a_command_that_is_typed_wrongly_is_found() -> None:
    right = "```sh\npacslake sweep --from 2024-01-01  # all\n. x && pacslake cohort show a | jq '.[]'\n```\n"
    wrong = "```console\n$ pacslake sweep --form 2024-01-01\n$ pacslake cohort fly a && pacslake status\n```\n"
    assert list(misspelt(right + wrong)) == ["sweep --form 2024-01-01", "cohort fly a"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_document_names_only_what_exists(document: Path) -> None:
    assert not list(unknown_names(document.read_text()))


def test_a_document_that_names_what_does_not_exist_is_found() -> None:
    wrong = "See `crawler/nowhere.py`.\n```\npacslake fly\n$ make gold\n```\n"
    right = "And `pacslake sweep`, `make test`, `crawler/model.py`, docs/that/are/prose.md."
    assert list(unknown_names(wrong + right)) == ["crawler/nowhere.py", "pacslake fly", "make gold"]


@pytest.mark.parametrize("name", MOST_LINES)
def test_a_file_keeps_its_length(name: str) -> None:
    path = ROOT / name
    assert path.read_text().count("\n") <= MOST_LINES[name]


def test_the_locks_hold_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups, needed = project["dependency-groups"], project["project"]["dependencies"]
    optional = project["project"]["optional-dependencies"]
    extras = [name for extra in optional.values() for name in extra]
    for lock, wanted in (
        ("requirements.lock", [*needed, *extras, *groups["build"], *groups["docs"], *groups["dev"]]),
        ("requirements.run.lock", needed),
        ("requirements.service.lock", [*needed, *optional["queue"], *optional["object-storage"]]),
        ("requirements.build.lock", [*groups["build"], *groups["docs"]]),
    ):
        pinned = set(re.findall(r"^([\w-]+)==", (ROOT / lock).read_text(), re.MULTILINE))
        assert {re.split(r"[<>=\[]", name)[0] for name in wanted if isinstance(name, str)} <= pinned, lock


@pytest.mark.parametrize("lock", sorted(ROOT.glob("requirements*.lock")), ids=lambda path: path.name)
def test_a_lock_has_hashes_and_no_address(lock: Path) -> None:
    text = lock.read_text()
    assert not re.search(r"https?:|file:|^-|/(opt|root|home|tmp)/", text, re.MULTILINE)
    assert text.count("==") - text.count("python_full_version") - text.count("sys_platform ==") <= text.count("--hash=")
