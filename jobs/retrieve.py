"""`pacslake cohort retrieve`: bring what of some cohorts or series is not here yet, from several PACS at once.

Touches: network, disk, clock, signals, standard output and error.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import click

from crawler.errors import UserError
from crawler.lake.ledger import naive_utc
from crawler.lake.resume import findings_of
from crawler.model import Model
from crawler.pacs.profile import profile_from
from crawler.pacs.sop_classes import GET_CLASSES, MOVE_CLASSES
from crawler.retrieve.offer import Offer
from crawler.retrieve.rows import change_of, retrieval_rows
from crawler.retrieve.status import Destination
from crawler.settings import PacsSettings, Settings
from jobs.arrivals import Arrivals
from jobs.bringing import bringing
from jobs.brought import Brought, Outcome
from jobs.caller import Besides
from jobs.exits import Exit
from jobs.fetching import Fetching
from jobs.looking import Looking
from jobs.ordering import Plan, RetrieveRequest, left_out, plan_of, show_plan
from jobs.permission import admitted, gate_of, watching
from jobs.phi import policy_of, require_patient_ids
from jobs.publish import Publisher, Source
from jobs.stopping import stopping_on_signals
from jobs.store import Store, opened_store, own_address

COMMIT_EVERY = 5.0
"""Seconds: what a kill costs is to be asked for again."""


def run_retrieve(settings: Settings, request: RetrieveRequest, *, dry_run: bool = False, as_json: bool = False) -> Exit:
    """Bring cohorts or series; give the exit code: 0 all is here, 3 something is missing, 130 interrupted."""
    plan = plan_of(settings, request)
    if dry_run:
        show_plan(plan, as_json=as_json)
        return Exit.OK
    for sentence in left_out(plan):
        click.echo(f"pacslake: {sentence}", err=True)
    if not plan.orders:
        click.echo(f"pacslake: {plan.whole:,} series are here; none is asked for.", err=True)
        outcome = Outcome(here_before=plan.whole, left_out=plan.left_out)
        if as_json:
            click.echo(json.dumps(outcome.values(settings.local), indent=2))
        return Exit.OK if outcome.complete else Exit.PARTIAL
    try:
        return asyncio.run(_retrieve(settings, plan, as_json=as_json))
    except asyncio.CancelledError:  # a second Ctrl-C: what was under way is asked for again
        click.echo("pacslake: stopped at once. Run the same command again to go on.", err=True)
        return Exit.INTERRUPTED


async def _retrieve(settings: Settings, plan: Plan, *, as_json: bool) -> Exit:
    for name in plan.orders:
        settings.require_pacs([name])
        if settings.pacs[name].model is Model.WORKLIST:
            raise UserError(f"{name} is a worklist, which has no images")
        require_patient_ids(settings, name)
    names = admitted(settings, _asked_by_dicom(settings, tuple(plan.orders)))
    async with Publisher(settings.lake.path, policy_of(settings), create=settings.lake.create) as publisher:
        arrivals = Arrivals(publisher, settings.local.store_path, {name: plan.orders[name] for name in names})
        async with opened_store(settings, names, arrivals.report) as store:
            run = _Run(settings, plan, publisher, arrivals, {})
            for name in names:
                run.pacs[name] = await run.fetching(name, store)
            await run.work()
        await run.write()
    outcome = run.outcome(store)
    click.echo("\n".join(outcome.lines(settings.local)), err=True)
    if as_json:
        click.echo(json.dumps(outcome.values(settings.local), indent=2))
    if any(one.gate.stopping.is_set() and not one.gate.stopped for one in run.pacs.values()):
        return Exit.INTERRUPTED
    return Exit.OK if outcome.complete else Exit.PARTIAL


def _asked_by_dicom(settings: Settings, names: tuple[str, ...]) -> tuple[str, ...]:
    """Give those PACS that images can be had from, and name the others. UserError when there is none."""
    found = tuple(name for name in names if not settings.pacs[name].web)
    for name in names:
        if settings.pacs[name].web:
            why = f"{name} is asked by DICOMweb, by which nothing is retrieved"
            if not found:
                raise UserError(f"{why}; where it speaks DICOM too, add a section with its host, port and ae_title")
            click.echo(f"pacslake: {why}. It is left out.", err=True)
    return found


@dataclass
class _Run:
    """One retrieval, from all PACS that may be asked now."""

    settings: Settings
    plan: Plan
    publisher: Publisher
    arrivals: Arrivals
    pacs: dict[str, Fetching]

    async def fetching(self, name: str, store: Store) -> Fetching:
        """Make what asks one PACS."""
        pacs, order = self.settings.pacs[name], self.plan.orders[name]
        findings = await self.publisher.read(lambda: findings_of(self.settings.lake.path, name))
        profile = profile_from(findings, pacs.overrides, pacs.model.dated_level)
        source = Source(name, uuid.uuid4().hex, pacs.charsets, profile)
        gate = gate_of(self.settings, name)
        return Fetching(
            peer=self.settings.peer(name),
            looking=Looking(pacs.model, source, self.publisher, gate.stopping),
            gate=gate,
            order=order,
            storing=store.storing,
            arrivals=self.arrivals,
            way=_way(pacs, self.plan, name),
            limits=replace(
                pacs.limits,
                idle_timeout=pacs.retrieve_idle_timeout,
                max_received=self.settings.local.largest_object,
            ),
            destination=Destination(self.settings.local.ae_title, own_address(pacs), store.port),
        )

    async def work(self) -> None:
        """Ask all PACS until their orders are finished, and write down how far they are."""
        found, settings = self.pacs, self.settings
        gates = {name: one.gate for name, one in found.items()}
        for one in found.values():
            one.expect()
        with stopping_on_signals([one.stop for one in found.values()]):
            async with self._keeping(), watching(settings, gates), bringing(found, self.arrivals):
                await asyncio.gather(*(one.run(settings.pacs[name].max_associations) for name, one in found.items()))

    async def write(self) -> None:
        """Publish what has come and how far the series are."""
        changes = [
            change_of(name, track, self.plan.versions.get(track.cohort), self.settings.pacs[name].retrieve_by)
            for name, one in self.pacs.items()
            for track in one.order.take_changes()
        ]
        if changes:
            rows = retrieval_rows(changes, naive_utc(datetime.now(UTC)))
            await self.publisher.read(lambda: self.publisher.writer.append("retrieval", rows))
        await self.publisher.commit()

    def outcome(self, store: Store) -> Outcome:
        """Say what came of it."""
        told = [
            Brought(name, order, self.pacs.get(name), self.arrivals.of.get(name, (0, 0)))
            for name, order in self.plan.orders.items()
        ]
        refusals, beside = store.storing.refusals, self.arrivals.beside
        return Outcome(told, self.plan.whole, self.plan.left_out, store.rejections, refusals, beside)

    @asynccontextmanager
    async def _keeping(self) -> AsyncIterator[None]:
        """Write now and then, while the block runs."""
        keeping = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            keeping.cancel()
            await asyncio.wait([keeping])

    async def _keep(self) -> None:
        while True:
            await self.write()
            await asyncio.sleep(COMMIT_EVERY)


def _way(pacs: PacsSettings, plan: Plan, name: str) -> Besides:
    """Say what an association is opened for, to bring what is planned of a PACS."""
    if pacs.retrieve_by == "move":
        return Besides((MOVE_CLASSES[pacs.model],))
    offer = Offer.of(sorted(plan.sop_classes.get(name, ())), sorted(plan.modalities[name]))
    return Besides((GET_CLASSES[pacs.model],), offer.contexts)
