"""examples/orchestrators: what exit codes ask for, by the installed command; Airflow and Dagster are not here."""

from __future__ import annotations

import ast
import importlib.util
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest

from crawler.lake.writer import LakeWriter
from jobs.cli import cli
from jobs.exits import Exit

FOLDER = Path(__file__).parents[2] / "examples" / "orchestrators"
FILES = sorted(FOLDER.glob("*.py"))
AGAIN = {Exit.ERROR, Exit.LOCKED}
SETTINGS = '[lake]\npath = "lake"\n[pacs.main]\nhost = "127.0.0.1"\nport = 1\nae_title = "X"\n'


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Give pacslake_command.py, as a worker with settings of its own has it."""
    (tmp_path / "pacslake.toml").write_text(SETTINGS)
    monkeypatch.setenv("PACSLAKE_CONFIG", str(tmp_path / "pacslake.toml"))
    monkeypatch.setenv("PACSLAKE_COMMAND", str(Path(sys.executable).parent / "pacslake"))
    spec = importlib.util.spec_from_file_location("pacslake_command", FOLDER / "pacslake_command.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def test_the_exit_codes_are_those_of_the_program(module: ModuleType) -> None:
    named = {one.name: one.value for one in module.Exit}
    assert named == {one.name: one.value for one in Exit if one.name in named}
    used = {name for file in FILES for name in re.findall(r"\bExit\.([A-Z_]+)", file.read_text())}
    assert used <= set(named)
    told = re.findall(r"^\| (\d+)", (FOLDER / "README.md").read_text(), re.MULTILINE)
    assert {Exit(int(code)) for code in told} == {*map(Exit, module.DONE), *AGAIN, Exit.INTERRUPTED}


@pytest.mark.parametrize("code", sorted(set(Exit) - {Exit.OK, Exit.PARTIAL, Exit.CAPPED}))
def test_what_is_not_done_is_tried_again_or_left_to_a_person(module: ModuleType, code: Exit) -> None:
    assert code not in module.DONE
    with pytest.raises(module.Again if code in AGAIN else module.Stopped):
        module.refuse(code)


def test_what_a_command_printed_becomes_a_file_when_it_is_done(module: ModuleType, tmp_path: Path) -> None:
    with LakeWriter.open(tmp_path / "lake"):
        with pytest.raises(module.Again, match="another process owns the lake"):
            module.run("maintain")
        assert module.run("coverage", "--format", "csv", output="coverage.csv") == Exit.PARTIAL
    written = (tmp_path / "coverage.csv").read_text()
    assert written.splitlines()[1:] == ["main,false,,,,never_asked,study,,pacslake sweep main"]
    with pytest.raises(module.Stopped, match="exit code 2"):
        module.run("coverage", "nowhere", output="coverage.csv")
    assert (tmp_path / "coverage.csv").read_text() == written


@pytest.mark.usefixtures("module")
def test_a_task_that_is_ended_ends_its_command(tmp_path: Path) -> None:
    """A PACS that takes the call and says nothing; then the worker gets what becomes an exception in the task."""
    with socket.create_server(("127.0.0.1", 0)) as pacs:
        settings = SETTINGS.replace("port = 1\n", f"port = {pacs.getsockname()[1]}\n")
        (tmp_path / "pacslake.toml").write_text(settings)
        task = [sys.executable, "-c", "from pacslake_command import run; run('sweep')"]
        with subprocess.Popen(task, cwd=FOLDER, stderr=subprocess.PIPE, text=True) as worker:
            pacs.settimeout(60)
            calling, _ = pacs.accept()
            worker.send_signal(signal.SIGINT)
            assert worker.stderr is not None
            assert any("stopping after the queries under way" in line for line in worker.stderr)
            calling.close()
            pacs.close()  # and what else called: nobody waits for an answer
            said = worker.stderr.read()  # until the command has ended too: it writes there
    assert worker.returncode == -signal.SIGINT
    assert "stopped. Run the same command again to go on." in said
    LakeWriter.open(tmp_path / "lake").close()


def typed(file: Path) -> Iterator[list[str]]:
    """Give the words of each command that a file runs, without `--config`."""
    for call in ast.walk(ast.parse(file.read_text(), feature_version=(3, 11))):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "done":
            words = [word.value for word in call.args if isinstance(word, ast.Constant)]
            yield [word for word in words if isinstance(word, str)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_compiles_and_its_commands_are_understood(file: Path, tmp_path: Path) -> None:
    compile(file.read_text(), file.name, "exec")
    commands = list(typed(file))
    assert {words[0] for words in commands} == (
        {"sweep", "coverage", "export"} if "command" not in file.stem else set()
    )
    for name, *words in commands:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        command.make_context(name, [*words, "--config", str(tmp_path / "pacslake.toml")])
