"""`pacslake metrics`. Touches: disk."""

from __future__ import annotations

from pathlib import Path

import click

from crawler.errors import UserError
from jobs.options import config_option, talk_options
from jobs.wiring import settings_from


@click.command()
@click.option(
    "--textfile",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write into this file, for the textfile collector of node_exporter.  [default: print]",
)
@config_option
@talk_options
def command(textfile: Path | None, config: Path) -> None:
    """Print how the lake and the jobs are, as Prometheus reads it.

    `pacslake serve` shows the same under /metrics. Who sweeps by cron has this run by cron too. No metric has a label
    but pacs, level, state and reason; config/alerts has rules for alerts, config/grafana a dashboard.

    \b
    pacslake metrics
    pacslake metrics --textfile /var/lib/prometheus/node-exporter/pacslake.prom

    Exit codes: 0 done, also without a lake, which pacslake_lake_readable then says; 2 wrong settings or file.
    """
    settings = settings_from(config)

    from jobs.metrics import run_metrics

    try:
        run_metrics(settings, textfile)
    except OSError as error:
        raise UserError(f"--textfile {textfile} cannot be written: {error.strerror}") from None
