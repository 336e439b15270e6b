"""`pacslake`: find the command, run it, turn whatever goes wrong into one line and an exit code.

Commands are imported when they run, so that `pacslake --help` starts at once. Data goes to standard output, talk to
standard error. Touches: standard output and error.
"""

from __future__ import annotations

import importlib
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from crawler.apart import leave
from crawler.errors import OUT_OF_MEMORY, PacslakeError
from crawler.unexpected import traced
from jobs.exits import Exit, disk_said, exit_of, is_interruption
from jobs.options import Talk
from jobs.wiring import begin, log_level, require_memory

COMMANDS = {
    "init": "Write a commented pacslake.toml to start from.",
    "check": "Find out what a PACS can do, and what must be set.",
    "doctor": "Look whether this installation is fit to work.",
    "letter": "Print a page for the administrator of a PACS.",
    "find": "Ask a PACS one question (C-FIND) and show the answers.",
    "echo": "Call PACS, and say whether they answer.",
    "move": "Bring studies, series or images into a folder, or have them sent elsewhere (C-MOVE).",
    "get": "Bring studies, series or images into a folder (C-GET).",
    "sweep": "Crawl PACS into the lake.",
    "pacs": "Show which PACS may be asked now; pause and resume them.",
    "plan": "Show what the next night will ask, and how long it will take.",
    "status": "Show each PACS's last sweep, rows and windows by state.",
    "sweeps": "Show the last sweeps.",
    "coverage": "Show which days are proven complete, and which are not.",
    "windows": "Show what was asked about a day, and what came of it.",
    "backfill": "Crawl just the days that are not proven complete.",
    "sql": "Ask the lake in SQL.",
    "cohort": "Freeze what belongs to a study; copy and verify what is here.",
    "explore": "Count series or studies by month, modality, scanner and body part.",
    "quality": "Show what is odd in the data: malformed, late, contradictory.",
    "changes": "Show what appeared, changed, vanished and came back.",
    "serve": "Do the jobs of pacslake.toml by the clock.",
    "queue": "Show who does which of the jobs that several machines share.",
    "alerts": "Show who is told when something goes wrong; try whether it arrives.",
    "users": "Say who may log in to the service's pages, and as what.",
    "audit": "Show who saw patients' data by way of the service.",
    "settings": "Print the settings as they hold, defaults included.",
    "metrics": "Print how the lake and the jobs are, as Prometheus reads it.",
    "maintain": "Keep the lake quick and small.",
    "verify": "Check that the lake is, to the bit, what was written.",
    "repair": "Set broken files aside and say what has to be asked for again.",
    "export": "Write a table or an answer into a file: CSV, Parquet, JSON Lines, Excel, FHIR.",
    "phi": "Show what of patients the lake keeps, and what is hashed.",
    "lake": "Mend what the lake holds, without asking a PACS.",
    "conformance": "Print the DICOM Conformance Statement.",
    "dictionary": "Say what every column of every table is.",
    "docs": "Show the documents that come with the program.",
    "completion": "Print what has bash, zsh or fish complete what is typed.",
    "demo": "Crawl a simulated PACS and answer three questions.",
    "simulate": "Run a simulated PACS.",
}
"""Each is `command` in the module of its name in jobs.commands."""


class LazyGroup(click.Group):
    """Knows every command's name and one line of help without importing it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"jobs.commands.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that was typed, or say which one may have been meant."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(COMMANDS)}"
            ctx.fail(f"there is no command {args[0]!r}; {hint}")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a command's name, or an option, without importing any command."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [CompletionItem(name, help=line) for name, line in COMMANDS.items() if name.startswith(incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        click.echo(f"pacslake {version('pacslake')}")
        ctx.exit()


@click.group(cls=LazyGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Print the version."
)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Crawl PACS by C-FIND into Parquet tables, and query them with SQL.

    \b
    pacslake init        then say in pacslake.toml where your PACS is
    pacslake sweep       crawl it
    pacslake sql "select count(*) from studies"

    Exit codes: 0 all is well, 1 error, 2 wrong usage or configuration, 3 some windows are not complete, 4 capped
    answers, 10 no lake, 11 another process owns the lake, 14 a later release wrote the lake, 130 interrupted.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give the exit code."""
    return leave(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    begin()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # it ends whatever Ctrl-C ends
    talk = Talk()
    try:
        require_memory()
        talk.log_level = log_level()
        result: Any = cli.main(arguments, prog_name="pacslake", standalone_mode=False, obj=talk)
        return int(result or Exit.OK)
    except (click.Abort, KeyboardInterrupt):  # the latter while a shell has words completed
        return _fail(talk, "interrupted", Exit.INTERRUPTED)
    except click.ClickException as error:
        return _fail(talk, _usage_sentence(error), Exit.USAGE)
    except PacslakeError as error:
        return _fail(talk, str(error), exit_of(error))
    except OSError as error:
        return _fail(talk, f"{disk_said(error)}. Mend that, then type the same again.", Exit.ERROR)
    except Exception as error:
        if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryException":  # DuckDB's
            return _fail(talk, OUT_OF_MEMORY, Exit.ERROR)
        if is_interruption(error):
            return _fail(talk, "interrupted", Exit.INTERRUPTED)
        # Anything can go wrong in anybody's code; its message may quote a patient's value, so only its type is shown.
        return _fail(talk, f"unexpected {type(error).__name__}; --debug shows where", Exit.ERROR)


def _usage_sentence(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    hint = f" (see {context.command_path} --help)" if context is not None else ""
    message = " ".join(error.format_message().rstrip(".").split())  # choices come a line each
    return f"{message[:1].lower()}{message[1:]}{hint}"


def _fail(talk: Talk, sentence: str, code: Exit) -> int:
    if talk.debug and (error := sys.exception()):
        sys.stderr.write(traced(error))
    print(f"pacslake: {sentence}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
