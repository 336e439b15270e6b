"""`pacslake serve`: checked before anything is opened. Touches: disk, the environment."""

from __future__ import annotations

from pathlib import Path

import click

from crawler.errors import UserError
from jobs.options import Talk, config_option, talk_options
from jobs.wiring import notify_address, settings_from, start_logging, watchdog_seconds


@click.command()
@config_option
@talk_options
@click.option("--find-scp", is_flag=True, help="Let the lake answer C-FIND too, as [find_scp] says.")
@click.option("--queue", metavar="URL", help="Share the jobs with other machines.  [default: `[serve] queue`]")
@click.pass_obj
def command(talk: Talk, config: Path, find_scp: bool, queue: str | None) -> int:
    """Do the jobs of pacslake.toml by the clock, until Ctrl-C or SIGTERM.

    What is due follows from what the lake says was done: after a week without power each job is done once, one after
    the other, the longest due first. A job that is new in the settings is done from its next time on. Between jobs the
    lake is free for `pacslake sweep` and its like; while somebody else has it, a job waits.

    SIGTERM ends within ten seconds, and no finished window is lost. SIGHUP reads the settings anew; where they are
    wrong, it says so and keeps those of before.

    With --find-scp viewers and scripts query the lake as they would a PACS, by C-FIND; no PACS notices.

    With --queue services on several machines share the jobs of one lake by a queue in PostgreSQL: each slot is done
    once, by whoever is free, and what a machine did that died is taken over within a minute.

    \b
    pacslake serve
    pacslake serve --config /etc/pacslake/pacslake.toml --log-level warning
    pacslake serve --find-scp
    pacslake serve --queue postgresql://pacslake@db.example.org/pacslake

    Exit codes: 0 stopped, 2 wrong settings, 11 another service serves this lake, 14 a later release wrote it.
    """
    settings = settings_from(config)
    start_logging(talk.log_level)

    from crawler.serve.notify import Notifier
    from crawler.settings.serving import queue_url
    from jobs.serve import run_serve
    from jobs.start import Start

    try:
        url = settings.serve.queue if queue is None else queue_url(queue)
    except ValueError as error:
        raise UserError(f"--queue {error}") from None
    start = Start(Notifier(notify_address()), watchdog_seconds(), talk.log_level, find_scp, url)
    return run_serve(config.absolute(), settings, start)
