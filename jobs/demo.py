"""`pacslake demo`: a simulated PACS on loopback, crawled and asked three questions.

Touches: network, disk, processes.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

import crawler
from crawler.settings import load
from jobs.sweep import SweepRequest, run_sweep

CONFIG = """\
# Written by `pacslake demo`. The simulated PACS ran on this port while the demo did.
[lake]
path = "lake"

[pacs.demo]
host = "127.0.0.1"
port = {port}
ae_title = "DEMO"
levels = ["study", "series"]
max_associations = 2
"""

BY_MONTH = """
pivot (select strftime(StudyDate, '%Y-%m') as month, unnest(ModalitiesInStudy) as modality from studies)
on modality using count(*) group by month order by month"""

SCANNERS = """
select StationName as station, any_value(Manufacturer || ' ' || ManufacturerModelName) as scanner,
       any_value(Modality) as modality, count(distinct StudyInstanceUID) as studies, count(*) as series,
       sum(NumberOfSeriesRelatedInstances)::bigint as instances
from series group by StationName order by studies desc limit 12"""

BUSIEST_HOURS = """
select hour(StudyTime) as hour, count(*) as studies
from studies where StudyTime is not null group by all order by hour"""


ASK_YOUR_OWN = "select StudyDate, PatientName, StudyDescription from studies limit 5"


def run_demo(directory: Path, studies: int) -> int:
    """Crawl a simulated PACS of about so many studies into `directory` and print three answers; give the exit code."""
    console = Console()
    directory.mkdir(parents=True, exist_ok=True)
    config = directory / "pacslake.toml"
    with _simulated_pacs(studies) as port:
        config.write_text(CONFIG.format(port=port))
        console.print(f"A simulated PACS with {studies:,} studies listens on 127.0.0.1:{port}. Crawling it ...\n")
        code = run_sweep(load(config), SweepRequest())
    if code:
        return code
    lake = crawler.open_lake(directory / "lake")
    for title, question in (("Studies by month and modality", BY_MONTH), ("Scanners", SCANNERS)):
        answer = lake.sql(question)
        console.print(_table(title, answer.columns, answer.fetchall()))
    console.print(_bars("Busiest hours (studies by hour of day)", lake.sql(BUSIEST_HOURS).fetchall()))
    command = "pacslake" if shutil.which("pacslake") else sys.argv[0]
    console.print(
        f'\nAsk your own:\n  {command} sql --config {config} "{ASK_YOUR_OWN}"', soft_wrap=True, highlight=False
    )
    return 0


@contextmanager
def _simulated_pacs(studies: int) -> Iterator[int]:
    """Run `pacslake simulate` beside us; give its port."""
    command = [sys.executable, "-m", "jobs.cli", "simulate", "--port", "0", "--ae-title", "DEMO"]
    with subprocess.Popen([*command, "--studies", str(studies)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline().split()[2].rsplit(":", 1)[1])
        finally:
            process.terminate()


def _table(title: str, columns: list[str], rows: list[tuple[object, ...]]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for place, column in enumerate(columns):
        numeric = bool(rows) and isinstance(rows[0][place], int)
        table.add_column(column, justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*(f"{value:,}" if isinstance(value, int) else str(value) for value in row))
    return table


def _bars(title: str, rows: list[tuple[int, int]]) -> Table:
    """Draw counts as horizontal bars, the largest 48 characters long."""
    largest = max((count for _, count in rows), default=1)
    chart = Table(title=title, title_justify="left", title_style="bold", box=None, show_header=False)
    for hour, count in rows:
        chart.add_row(f"{hour:02}:00", "█" * max(1, round(48 * count / largest)), f"{count:,}")
    return chart
