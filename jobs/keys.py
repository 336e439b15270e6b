"""The keys of pseudonyms: read, and made where there is none yet. Touches: disk, standard error."""

from __future__ import annotations

import click

from crawler.deid.key import make_key, read_key
from crawler.deid.pseudonyms import Pseudonyms
from crawler.secret import Secret
from crawler.settings import Settings


def pseudonyms_by(key: Secret, notice: str) -> Pseudonyms:
    """Give the pseudonyms of a key, with a notice where the key is made now."""
    if key.file and not key.file.exists():
        make_key(key.file)
        click.echo(f"pacslake: {key} is the new key of {notice}", err=True)
    return Pseudonyms(read_key(key))


def project_pseudonyms(settings: Settings) -> Pseudonyms:
    """Give the pseudonyms of what leaves the lake for research."""
    return pseudonyms_by(
        settings.deid.key_file,
        "this project. Keep it safe: who has it can tell whose a pseudonym is, and without it the same patient gets "
        "another one",
    )
