"""What of some cohorts or series is not here, as orders to the PACS that have it. Touches: disk, standard output."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import click

from crawler.cohort.frozen import newest
from crawler.cohort.sizes import size_of
from crawler.cohort.totals import Load
from crawler.errors import UserError
from crawler.lake.catalog import literal, open_catalog
from crawler.retrieve.kept import instances_here
from crawler.retrieve.order import Order, Patience
from crawler.retrieve.standing import Series, Standing, gather, standing
from crawler.retrieve.track import Item
from crawler.settings import Settings
from crawler.words import many

_KNOWN = "SELECT DISTINCT StudyInstanceUID, SeriesInstanceUID, PatientID, Modality FROM {rows}"
_CLASSES = """SELECT DISTINCT pacs, SOPClassUID FROM instances SEMI JOIN wanted USING (pacs, SeriesInstanceUID)
    WHERE SOPClassUID IS NOT NULL"""
_NAMED = """(SELECT pacs, StudyInstanceUID, SeriesInstanceUID, PatientID, Modality, NULL::BIGINT AS expected_instances
    FROM (SELECT DISTINCT ON (SeriesInstanceUID) pacs, StudyInstanceUID, SeriesInstanceUID, Modality FROM series
        WHERE SeriesInstanceUID IN ({uids}) AND {place} ORDER BY SeriesInstanceUID, pacs)
    LEFT JOIN (SELECT pacs, StudyInstanceUID, PatientID FROM studies) AS study USING (pacs, StudyInstanceUID))"""
"""Series by their UIDs, each from one PACS, with those columns of `Frozen.rows` that are needed here."""
BY_NAME = ""
"""In place of a cohort's name, for series that were named themselves."""


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
    """Which cohorts to bring, and which series beside them."""

    wishes: tuple[Wish, ...] = ()
    patience: Patience = field(default_factory=Patience)
    series: tuple[str, ...] = ()
    """Series Instance UIDs."""
    pacs: str | None = None
    """Where those series are asked for; None is the first by name that has one."""


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


def patience(*, growing_too: bool, impatient: bool) -> Patience:
    """Say how long to wait for what: whether series that still grow are asked for too, and all just once more."""
    usual = Patience()
    return replace(
        usual,
        look_again=() if growing_too else usual.look_again,
        ask_again=usual.ask_again[:1] if impatient else usual.ask_again,
    )


def plan_of(settings: Settings, request: RetrieveRequest) -> Plan:
    """Find what is missing. UserError where there is no such cohort or series, or it was dropped."""
    plan = Plan()
    for wish in request.wishes:
        frozen = newest(settings.lake.path, wish.cohort)
        if frozen.dropped_at is not None:
            raise UserError(f"{wish.cohort} was dropped; `pacslake cohort new {wish.cohort}` freezes it anew")
        plan.versions[wish.cohort] = frozen.version
        _add(plan, settings, frozen.rows, (wish, request.patience))
    if request.series:
        _add(plan, settings, _named(settings, request), (Wish(BY_NAME), request.patience))
    return plan


def _named(settings: Settings, request: RetrieveRequest) -> str:
    """Give what to select the series from that were named. UserError for one that the lake does not have."""
    if request.pacs is not None:
        settings.require_pacs([request.pacs])
    place = "true" if request.pacs is None else f"pacs = {literal(request.pacs)}"
    rows = _NAMED.format(uids=", ".join(map(literal, request.series)), place=place)
    with open_catalog(settings.lake.path) as connection:
        known = {uid for (uid,) in connection.execute(f"SELECT SeriesInstanceUID FROM {rows}").fetchall()}
    unknown = [uid for uid in request.series if uid not in known]
    if unknown:
        where = "the lake" if request.pacs is None else f"what the lake knows of {request.pacs}"
        raise UserError(f"there is no series {unknown[0]!r} in {where}; sweep its day with --level series first")
    return rows


def _add(plan: Plan, settings: Settings, rows: str, how: tuple[Wish, Patience]) -> None:
    """Order what is missing of the series in `rows`, something to select from."""
    wish, patience = how
    with open_catalog(settings.lake.path) as connection:
        gather(connection, rows)
        found = standing(connection)
        known = connection.execute(_KNOWN.format(rows=rows)).fetchall()
        classes = connection.execute(_CLASSES).fetchall()
    plan.whole += len(found.series) - len(found.missing)
    for pacs, sop_class in classes:
        plan.sop_classes.setdefault(pacs, set()).add(sop_class)
    patients = {study: patient for study, _, patient, _ in known}
    here = instances_here(settings.lake.path, [one.series_uid for one in found.missing if one.series_uid])
    fitting = _fitting(found, wish.max_bytes, {series: modality for _, series, _, modality in known})
    if len(fitting) < len(found.missing):
        plan.left_out[wish.cohort] = len(found.missing) - len(fitting)
    missing: dict[str, list[Series]] = {}
    for one in fitting:
        missing.setdefault(one.pacs, []).append(one)
    for pacs, series in missing.items():
        items = [Item(one.study_uid, one.series_uid, patients.get(one.study_uid), one.expected) for one in series]
        factor = settings.pacs[pacs].retrieve_patience if pacs in settings.pacs else 1.0
        order = plan.orders.setdefault(pacs, Order(patience.times(factor)))
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
        yield f"{name}: {count:,} series are left out: its max_gb is reached"


def show_plan(plan: Plan, *, as_json: bool = False) -> None:
    """Say what would be asked for."""
    due = {name: (len(order.tracks), instances_left(order)) for name, order in plan.orders.items()}
    if as_json:
        pacs = {name: {"series": series, "instances": left} for name, (series, left) in due.items()}
        click.echo(json.dumps({"pacs": pacs, "series_here": plan.whole, "left_out": plan.left_out}, indent=2))
        return
    for name, (series, left) in due.items():
        click.echo(f"{name}: {series:,} series, {many(left, 'instance')} as far as they are counted")
    for sentence in left_out(plan):
        click.echo(sentence)
    click.echo(f"{plan.whole:,} series are here already. Nothing was asked of any PACS.")


def instances_left(order: Order) -> int:
    """Count what of an order is not here, as far as its series are counted."""
    return sum(max((track.item.instances or 0) - len(track.here), 0) for track in order.tracks.values())
