"""`pacslake explore`: counts by month, modality, scanner and body part. Touches: disk."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from crawler.errors import UserError
from jobs.options import config_option, day, talk_options
from jobs.wiring import settings_from

DIMENSIONS = ("month", "modality", "scanner", "body_part", "pacs")


@click.command()
@click.option("--by", type=click.Choice(DIMENSIONS), default="modality", show_default=True)
@click.option("--of", "level", type=click.Choice(("series", "study")), default="series", show_default=True)
@click.option(
    "--where",
    multiple=True,
    metavar="NAME=VALUE",
    help="As modality=CT; an empty value: rows without. One of --by itself is left aside.  [repeatable]",
)
@click.option("--from", "first", callback=day, metavar="DAY", help="From this day's month on.")
@click.option("--to", "last", callback=day, metavar="DAY", help="Up to this day's month, included.")
@click.option("--format", "kind", type=click.Choice(("table", "json")), default="table", show_default=True)
@config_option
@talk_options
def command(
    by: str, level: str, where: tuple[str, ...], first: date | None, last: date | None, kind: str, config: Path
) -> None:
    """Count current series, or studies, and their images as the PACS counts them.

    The lake is counted anew when it has changed.

    \b
    pacslake explore
    pacslake explore --by scanner --where modality=MR --from 2024-01-01
    pacslake explore --of study --by month --format json
    """
    wanted = dict(_condition(text) for text in where)
    settings = settings_from(config)

    from crawler.serve.reports import Conditions
    from jobs.reports import LakeReports
    from jobs.showing import print_json, print_table
    from jobs.tally import tally_if_changed

    tally_if_changed(settings)
    conditions = {"level": level, **wanted, "month_from": first, "month_to": last}
    found = LakeReports(lambda: settings).explored(Conditions.model_validate(conditions))
    if kind == "json":
        print_json(found)
    elif by == "month":
        rows: dict[date | None, int] = {}
        for one in found.months:
            rows[one.month] = rows.get(one.month, 0) + one.rows
        print_table(("month", level), sorted(rows.items(), key=lambda row: str(row[0])), "No row is like that.")
    else:
        values = [(facet.value or "", facet.rows, facet.instances) for facet in found.facets[by]]
        print_table((by, level, "images"), values, "No row is like that.")


def _condition(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or name not in DIMENSIONS[1:]:
        raise UserError(f"--where wants NAME=VALUE, with a name of {', '.join(DIMENSIONS[1:])}, not {name!r}")
    return name, value
