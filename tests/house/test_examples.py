"""Each command's help ends in examples, and each example is a command line that the command understands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from jobs.cli import cli

FILES = ("accessions.csv", "export.csv")
"""Which examples read."""


def commands(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[click.Command, tuple[str, ...]]]:
    yield command, path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, (*path, name))


def examples(text: str, path: tuple[str, ...]) -> list[list[str]]:
    """Give the words of each line of a help that begins with the command, up to a pipe or a file."""
    found = []
    for line in re.findall(r"^ *(pacslake .*)$", text, re.MULTILINE):
        words = shlex.split(line, comments=True)
        end = next((place for place, word in enumerate(words) if word in ("|", ">", "<")), len(words))
        if tuple(words[: len(path)]) == path:
            found.append(words[len(path) : end])
    return found


ALL = {" ".join(path): (command, path) for command, path in commands(cli, ("pacslake",))}


@pytest.mark.parametrize("name", ALL)
def test_a_command_has_examples_that_it_understands(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for file in FILES:
        (tmp_path / file).touch()
    command, path = ALL[name]
    found = examples(command.help or "", path)
    assert found
    for words in found:
        command.make_context(name, list(words))  # a usage error where an option or a value is wrong


def test_an_example_that_is_wrong_is_found() -> None:
    command, path = ALL["pacslake sweep"]
    [words] = examples("  pacslake sweep main --form 2024-01-01 > log\n  pacslake status\n", path)
    with pytest.raises(click.NoSuchOption):
        command.make_context("pacslake sweep", words)
