"""What of some cohorts is not here, as orders to the PACS that have it. Touches: disk, standard output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import click

from crawler.cohort.frozen import Frozen, newest
from crawler.cohort.sizes import size_of
from crawler.cohort.totals import Load
from crawler.errors import UserError
from crawler.lake.catalog import open_catalog
from crawler.retrieve.kept import instances_here
from crawler.retrieve.order import Order, Patience
from crawler.retrieve.standing import Series, Standing, gather, standing
from crawler.retrieve.track import Item
from crawler.settings import Settings

_KNOWN = "SELECT DISTINCT StudyInstanceUID, SeriesInstanceUID, PatientID, Modality FROM {rows}"
_CLASSES = """SELECT DISTINCT pacs, SOPClassUID FROM instances SEMI JOIN wanted USING (pacs, SeriesInstanceUID)
    WHERE SOPClassUID IS NOT NULL"""


@dataclass(frozen=True, slots=True)
class Wish:
    """One cohort to bring."""

    cohort: str
    priority: int = 0
    """Those of a higher one come first, equal ones by turns."""
    max_bytes: float | None = None
    """What is here of it included; what does not fit is left out."""


@dataclass(frozen=True, slots=True)
class RetrieveRequest:
    """Which cohorts to bring."""

    wishes: tuple[Wish, ...]
    patience: Patience = field(default_factory=Patience)


@dataclass
class Plan:
    """What each PACS is to be asked for."""

    orders: dict[str, Order] = field(default_factory=dict)
    modalities: dict[str, set[str]] = field(default_factory=dict)
    """Of what each PACS is asked for."""
    sop_classes: dict[str, set[str]] = field(default_factory=dict)
    """The same, as far as its instances were ever listed."""
    versions: dict[str, int] = field(default_factory=dict)
    """Of each cohort."""
    whole: int = 0
    """Series that are here already."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Series of each cohort that its limit leaves no room for."""


def patience(growing_too: bool) -> Patience:
    """Say how long to wait for what, where series that still grow are asked for too or not."""
    return replace(Patience(), look_again=()) if growing_too else Patience()


def plan_of(settings: Settings, request: RetrieveRequest) -> Plan:
    """Find what is missing of each cohort. UserError where there is none, or it was dropped."""
    plan = Plan()
    for wish in request.wishes:
        frozen = newest(settings.lake.path, wish.cohort)
        if frozen.dropped_at is not None:
            raise UserError(f"{wish.cohort} was dropped; `pacslake cohort new {wish.cohort}` freezes it anew")
        plan.versions[wish.cohort] = frozen.version
        _add(plan, settings, frozen, (wish, request.patience))
    return plan


def _add(plan: Plan, settings: Settings, frozen: Frozen, how: tuple[Wish, Patience]) -> None:
    wish, patience = how
    with open_catalog(settings.lake.path) as connection:
        gather(connection, frozen.rows)
        found = standing(connection)
        known = connection.execute(_KNOWN.format(rows=frozen.rows)).fetchall()
        classes = connection.execute(_CLASSES).fetchall()
    plan.whole += len(found.series) - len(found.missing)
    for pacs, sop_class in classes:
        plan.sop_classes.setdefault(pacs, set()).add(sop_class)
    patients = {study: patient for study, _, patient, _ in known}
    here = instances_here(settings.lake.path, [one.series_uid for one in found.missing if one.series_uid])
    fitting = _fitting(found, wish.max_bytes, {series: modality for _, series, _, modality in known})
    plan.left_out[wish.cohort] = len(found.missing) - len(fitting)
    missing: dict[str, list[Series]] = {}
    for one in fitting:
        missing.setdefault(one.pacs, []).append(one)
    for pacs, series in missing.items():
        items = [Item(one.study_uid, one.series_uid, patients.get(one.study_uid), one.expected) for one in series]
        order = plan.orders.setdefault(pacs, Order(patience))
        order.add(wish.cohort, items, here, wish.priority)
        plan.modalities.setdefault(pacs, set()).update(modality for *_, modality in known if modality)


def _fitting(found: Standing, most: float | None, modalities: Mapping[str | None, str | None]) -> list[Series]:
    """Give the series of which something is missing, as many as there is room for."""
    if most is None:
        return found.missing
    fitting, size = [], float(found.size)
    for one in found.missing:
        load = Load(one.pacs, modalities.get(one.series_uid) or "", 1, one.missing or 1)
        size += size_of([load])
        if size > most:
            break
        fitting.append(one)
    return fitting


def left_out(plan: Plan) -> Iterator[str]:
    """Say what there is no room for."""
    for name, count in plan.left_out.items():
        if count:
            yield f"{name}: {count:,} series are left out: its max_gb is reached"


def show_plan(plan: Plan) -> None:
    """Say what would be asked for."""
    for name, order in plan.orders.items():
        tracks = order.tracks.values()
        left = sum(max((track.item.instances or 0) - len(track.here), 0) for track in tracks)
        click.echo(f"{name}: {len(tracks):,} series, {left:,} instances as far as they are counted")
    for sentence in left_out(plan):
        click.echo(sentence)
    click.echo(f"{plan.whole:,} series are here already. Nothing was asked of any PACS.")
