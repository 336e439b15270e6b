"""What tells strangers of a dataset: its card, and who takes part. Touches: disk, clock."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import click

from crawler.deid.recipe import described as recipe_values
from crawler.errors import UserError
from crawler.export.bids import write_participants
from crawler.export.card import Card, write_card
from crawler.export.dataset import Row, row_of
from jobs.account import Account
from jobs.forms import files_of


def described(folder: Path, account: Account) -> list[Row]:
    """Write the card and, where the form has none, the list of participants; give their rows of the manifest."""
    instances = [row for one in account.released for row in one.files]
    try:
        names = write_card(files_of(instances), folder, _card(account))
    except UserError as error:  # a library that draws is not there
        click.echo(f"pacslake: the dataset has no card: {error}", err=True)
        names = []
    if account.form != "bids":
        names += write_participants(instances, folder)
    return [row_of(folder, name) for name in names]


def _card(account: Account) -> Card:
    recipe = recipe_values(account.recipe)
    options = ", ".join(one.replace("_", " ") for one in recipe["options"]) or "none"
    against = ", ".join(recipe["kept_against_profile"]) or "nothing"
    return Card(
        name=account.frozen.cohort,
        version=version("pacslake"),
        made_on=f"{datetime.now(UTC):%Y-%m-%d}",
        method=(
            "Every element of every file was treated as the recipe says, in sequences too. Files whose pixels may show "
            "a name were left out until somebody had looked at them. Each file was then read again and searched for "
            "all that is known of its patient.",
        ),
        facts=(
            ("recipe", f"{recipe['recipe']}, version {recipe['version']}, {recipe['digest'][:16]}"),
            ("profile", recipe["profile"]),
            ("options", options),
            ("kept against the profile", against),
            ("instances in the cohort's files", f"{sum(one.instances for one in account.released):,}"),
            ("left out by their kind, or by a person", f"{account.sum_of('excluded').total():,}"),
            ("waiting for a look", f"{account.sum_of('quarantined').total():,}"),
            ("kept back because of what was found in them", f"{account.sum_of('kept_back').total():,}"),
            ("series that are missing, in whole or in part", f"{len(account.missing):,}"),
        ),
        dates_shifted=account.recipe.options.retain_modified_dates,
    )
