"""`pacslake verify`: whether the lake is whole. Touches: disk."""

from __future__ import annotations

from pathlib import Path

import click

from jobs.options import config_option, talk_options
from jobs.wiring import settings_from


@click.command()
@click.option("--format", "kind", type=click.Choice(("text", "json")), default="text", show_default=True)
@config_option
@talk_options
def command(kind: str, config: Path) -> int:
    """Check that every file of the lake is, to the bit, what was written, and that the rows fit together.

    Checksums of data files, commits and checkpoints; unique keys; history against the current tables; coverage
    against rows. It changes nothing, and a sweep may run meanwhile.

    \b
    pacslake verify
    pacslake verify --format json | jq '.flaws[].path'

    Exit codes: 0 the lake is whole, 1 something is wrong (`pacslake repair` says what to do), 10 no lake, 14 a later
    release wrote it.
    """
    settings = settings_from(config)

    from jobs.verify import run_verify

    return run_verify(settings.lake.path, as_json=kind == "json")
