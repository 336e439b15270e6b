"""`pacslake sql`: which statement, in which format, to where. Touches: disk, standard input."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from jobs.completing import names_of
from jobs.options import config_option, talk_options
from jobs.wiring import settings_from

FORMATS = ("table", "csv", "json", "jsonl", "parquet")


@click.command()
@click.argument("statement", required=False)
@click.option("--format", "kind", type=click.Choice(FORMATS), help="How answers are written.  [default: table]")
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write to this file instead."
)
@click.option("--as-of", metavar="WHEN", help="Answer with what was known at this moment (UTC), or on this day.")
@click.option("--live", metavar="PACS", shell_complete=names_of("pacs"), help="Ask this PACS (or AE@host:port) itself.")
@click.option("--explain", is_flag=True, help="With --live: show what it would be asked, and ask nothing.")
@click.option("--yes", is_flag=True, help="With --live: ask for all of an archive, too.")
@config_option
@talk_options
def command(
    statement: str | None,
    kind: str | None,
    output: Path | None,
    as_of: str | None,
    live: str | None,
    explain: bool,
    yes: bool,
    config: Path,
) -> int:
    """Ask the lake in SQL (DuckDB's). Without a statement: a prompt, or what comes from standard input.

    Tables: patients, studies, series, instances (as they are now), their kin with _history, sweeps, windows, rejects.

    \b
    pacslake sql "select count(*) from studies"
    pacslake sql "select * from series where Modality = 'CT'" --format csv > ct.csv
    pacslake sql "from studies" --output studies.parquet
    pacslake sql < questions.sql
    pacslake sql --as-of 2026-03-01 "select count(*) from studies"
    pacslake sql --live main "select StudyDate, StudyDescription from studies where PatientID = '4711'"

    With --live the PACS is asked for what the statement can want, and nothing is written into the lake.

    Exit codes: 2 when DuckDB cannot understand a statement (syntax, unknown table or column), 1 when it fails while
    it runs, 10 when there is no lake; with --live 3 when the PACS may have more than came, 2 when too much is asked.
    """
    if output is not None:
        kind = _kind_of(output, kind)
    if live is None and (explain or yes):
        raise click.UsageError("--explain and --yes belong to --live PACS")

    from jobs.query import TABLE, Form, answer

    if live is not None:
        if as_of is not None or (statement is None and sys.stdin.isatty()):
            raise click.UsageError("--live takes a statement, and neither --as-of nor a prompt")
        from jobs.live import Wish, answer_live

        wish = Wish(live, sys.stdin.read() if statement is None else statement, yes=yes, explain=explain)
        return answer_live(config, wish, Form(kind or TABLE, output))
    lake = settings_from(config).lake.path

    if statement is not None or not sys.stdin.isatty():
        answer(lake, sys.stdin.read() if statement is None else statement, Form(kind or TABLE, output), as_of)
    else:
        from jobs.prompt import prompt

        prompt(lake, as_of)
    return 0


def _kind_of(output: Path, kind: str | None) -> str:
    """Give the format of a file: the one asked for, else the one that its name says."""
    chosen = kind or output.suffix.removeprefix(".").lower()
    if chosen not in FORMATS or chosen == FORMATS[0]:
        raise click.UsageError(
            f"--output needs a format: --format {'|'.join(FORMATS[1:])}, or a file name that ends so"
        )
    return chosen
