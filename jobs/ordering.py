"""What of some cohorts is not here, as orders to the PACS that have it. Touches: disk, standard output."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import click

from crawler.cohort.frozen import Frozen, newest
from crawler.errors import UserError
from crawler.lake.catalog import open_catalog
from crawler.retrieve.kept import instances_here
from crawler.retrieve.order import Order, Patience
from crawler.retrieve.standing import Series, gather, standing
from crawler.retrieve.track import Item
from crawler.settings import Settings

_OF_STUDIES = "SELECT DISTINCT StudyInstanceUID, PatientID, Modality FROM {rows}"


@dataclass(frozen=True, slots=True)
class RetrieveRequest:
    """Which cohorts to bring."""

    cohorts: tuple[str, ...]
    priorities: tuple[int, ...] = ()
    """Of each; those of a higher one come first, equal ones by turns."""
    patience: Patience = field(default_factory=Patience)


@dataclass
class Plan:
    """What each PACS is to be asked for."""

    orders: dict[str, Order] = field(default_factory=dict)
    modalities: dict[str, set[str]] = field(default_factory=dict)
    """Of what each PACS is asked for."""
    versions: dict[str, int] = field(default_factory=dict)
    """Of each cohort."""
    whole: int = 0
    """Series that are here already."""


def patience(growing_too: bool) -> Patience:
    """Say how long to wait for what, where series that still grow are asked for too or not."""
    return replace(Patience(), look_again=()) if growing_too else Patience()


def plan_of(settings: Settings, request: RetrieveRequest) -> Plan:
    """Find what is missing of each cohort. UserError where there is none, or it was dropped."""
    plan = Plan()
    cohorts = [newest(settings.lake.path, name) for name in dict.fromkeys(request.cohorts)]
    priorities = dict(zip(request.cohorts, request.priorities, strict=False))
    for frozen in cohorts:
        if frozen.dropped_at is not None:
            raise UserError(f"{frozen.cohort} was dropped; `pacslake cohort new {frozen.cohort}` freezes it anew")
        plan.versions[frozen.cohort] = frozen.version
        _add(plan, settings, frozen, replace(request, priorities=(priorities.get(frozen.cohort, 0),)))
    return plan


def _add(plan: Plan, settings: Settings, frozen: Frozen, request: RetrieveRequest) -> None:
    with open_catalog(settings.lake.path) as connection:
        gather(connection, frozen.rows)
        found = standing(connection)
        known = connection.execute(_OF_STUDIES.format(rows=frozen.rows)).fetchall()
    plan.whole += len(found.series) - len(found.missing)
    patients = {study: patient for study, patient, _ in known}
    here = instances_here(settings.lake.path, [one.series_uid for one in found.missing if one.series_uid])
    missing: dict[str, list[Series]] = {}
    for one in found.missing:
        missing.setdefault(one.pacs, []).append(one)
    for pacs, series in missing.items():
        items = [Item(one.study_uid, one.series_uid, patients.get(one.study_uid), one.expected) for one in series]
        order = plan.orders.setdefault(pacs, Order(request.patience))
        order.add(frozen.cohort, items, here, request.priorities[0])
        plan.modalities.setdefault(pacs, set()).update(modality for _, _, modality in known if modality)


def show_plan(plan: Plan) -> None:
    """Say what would be asked for."""
    for name, order in plan.orders.items():
        tracks = order.tracks.values()
        left = sum(max((track.item.instances or 0) - len(track.here), 0) for track in tracks)
        click.echo(f"{name}: {len(tracks):,} series, {left:,} instances as far as they are counted")
    click.echo(f"{plan.whole:,} series are here already. Nothing was asked of any PACS.")
