"""What of patients the lake keeps, as `[phi]` says, and the key that values are hashed by.

Touches: disk, standard input, output and error.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from crawler.columns import Phi, by_keyword
from crawler.deid.key import read_key
from crawler.deid.policy import PATIENT_ID, Policy
from crawler.deid.pseudonyms import Pseudonyms
from crawler.errors import NoLakeError, UserError
from crawler.lake.log import PHI_KEY, open_table, properties_of
from crawler.lake.writer import LakeWriter
from crawler.model import Model
from crawler.phi import ALL_KEPT, Treatment
from crawler.settings import Settings
from jobs.keys import pseudonyms_by
from jobs.table import render

_NOTICE = (
    "this lake. Keep it, and apart from the lake: without it the lake cannot go on, and who has both can try values out"
)


def policy_of(settings: Settings) -> Policy | None:
    """Give what the settings say of patients, None where all is kept; the key is made for a lake that has none yet."""
    phi = settings.phi
    if phi is None:
        return None
    if noted(settings.lake.path) is None:
        return Policy(phi.rules, pseudonyms_by(phi.key_file, _NOTICE))
    return Policy(phi.rules, Pseudonyms(read_key(phi.key_file)))


def policy_of_lake(settings: Settings) -> Policy | None:
    """Give the same for a lake that is there, None where it has patients' values as they came."""
    return None if noted(settings.lake.path) is None else policy_of(settings)


def require_patient_ids(settings: Settings, pacs: str) -> None:
    """UserError where a PACS wants the PatientID to bring images, and the lake does not keep it."""
    phi, model = settings.phi, settings.pacs[pacs].model
    if phi is not None and model is not Model.STUDY_ROOT and phi.rules.of(PATIENT_ID) is not Treatment.KEEP:
        raise UserError(
            f'{pacs}: model = "{model.value}" wants the PatientID in each request for images, which [phi] keeps out of '
            'the lake: set model = "study", or phi.columns.PatientID = "keep" for a new lake'
        )


def noted(lake: Path) -> str | None:
    """Give what the lake notes of what it keeps, None where it keeps everything or there is none."""
    try:
        return properties_of(open_table(lake)).get(PHI_KEY)
    except NoLakeError:
        return None


def open_writer(path: Path, policy: Policy | None, *, create: bool = True) -> LakeWriter:
    """Become the owner of a lake that keeps what the policy says. UserError where it keeps something else."""
    writer = LakeWriter.open(path, create=create)
    try:
        writer.agree_on_phi(None if policy is None else policy.note)
    except BaseException:
        writer.close()
        raise
    return writer


def show_rules(settings: Settings, *, as_json: bool) -> None:
    """Print what becomes of each column, those that identify most first."""
    rules = ALL_KEPT if settings.phi is None else settings.phi.rules
    keys = by_keyword(key for _, key in settings.attributes.resolved())
    order = sorted(keys.values(), key=lambda key: (list(Phi).index(key.phi), key.keyword))
    rows = [(", ".join(key.columns), key.phi.value, rules.of(key).value) for key in order]
    if as_json:
        names = ("columns", "phi", "kept")
        click.echo(json.dumps([dict(zip(names, row, strict=True)) for row in rows], indent=2))
        return
    click.echo(render(("columns", "identify", "the lake has them"), rows, None))
    if settings.phi is None:
        click.echo("pacslake: without a section [phi] the lake keeps all of it; see docs/privacy.md", err=True)


def show_hashed(settings: Settings, keyword: str) -> None:
    """Print what stands in the lake for the lines of standard input. UserError where that is not a code."""
    if settings.phi is None:
        raise UserError("the settings have no section [phi]: the lake has values as they came")
    known = by_keyword()
    if keyword not in known:
        raise UserError(f"there is no column {keyword!r}; `pacslake phi show` names them")
    if settings.phi.rules.of(known[keyword]) is Treatment.KEEP:
        raise UserError(f"{keyword} is kept as it is")
    policy = policy_of_lake(settings)
    if policy is None:
        open_table(settings.lake.path)
        raise UserError(f"{settings.lake.path} has patients' values as they came: it was begun without [phi]")
    for code in policy.named(keyword, sys.stdin.read().splitlines()):
        click.echo(code)
