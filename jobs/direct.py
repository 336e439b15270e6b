"""`pacslake move` and `pacslake get`: bring from one PACS into a folder, without a lake. Touches: network, disk.

The same machine asks as for cohorts: what the PACS lists is compared with the files, and what did not come is asked for
by name. A file lies in the folder whole, or not at all; what lies there is not asked for again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
from pydicom import dcmread

from crawler.errors import NotNowError, UserError
from crawler.model import Level, Model
from crawler.pacs.sop_classes import GET_CLASSES, MOVE_CLASSES
from crawler.retrieve.expectation import Sender
from crawler.retrieve.layout import SPOOL, by_series, is_uid
from crawler.retrieve.offer import Offer
from crawler.retrieve.order import Order, Patience
from crawler.retrieve.receiver import Receiving
from crawler.retrieve.status import Destination
from crawler.retrieve.storing import Report, Storing
from crawler.retrieve.track import Item
from crawler.settings.sections import LocalSettings
from jobs.arrivals import Arrivals
from jobs.bringing import bringing
from jobs.brought import Brought, Outcome
from jobs.caller import Besides
from jobs.exits import Exit
from jobs.fetching import Fetching
from jobs.meant import Asking, Listings, Meant, meant_by
from jobs.named import Named
from jobs.ordering import BY_NAME
from jobs.peers import Peers, profile_of
from jobs.publish import Source
from jobs.stopping import stopping_on_signals
from jobs.store import Store, limits_of, listening, own_address, senders_of, tls_of
from jobs.table import visible

PATIENCE = Patience(look_again=(), ask_again=(5.0,))
"""Somebody waits: a series that grows is brought as it is, and what does not come is asked for once more."""

_HINTS = dict.fromkeys((Level.SERIES, Level.IMAGE), "; some PACS find it only with its study: add --study")

Stops = list[Callable[[], None]]


@dataclass(frozen=True, slots=True)
class Request:
    """What to bring, in which way, and where to."""

    named: Named
    to: Path
    gets: bool
    """Whether by C-GET."""
    port: int | None = None
    """Where to listen for a C-MOVE, instead of `[local] port`."""
    model: Model | None = None
    """Instead of that of the PACS."""
    as_json: bool = False


def run_direct(peers: Peers, request: Request) -> Exit:
    """Bring what is named; give the exit code: 0 all is here, 3 something is missing, 130 interrupted."""
    try:
        return asyncio.run(_run(peers, request))
    except asyncio.CancelledError:
        click.echo("pacslake: stopped at once. Run the same command again to go on.", err=True)
        return Exit.INTERRUPTED


def asking_of(peers: Peers, model: Model | None) -> Asking:
    """Give how the PACS that was named is asked."""
    [called] = peers.called
    chosen = model or called.pacs.model
    if chosen not in GET_CLASSES or chosen is Model.PATIENT_STUDY_ONLY:
        raise UserError(f"{called.peer.name} is asked by {chosen.known_as}, which has no series: add --model study")
    return Asking(
        called, chosen, Source(called.peer.name, "", called.pacs.charsets, profile_of(peers.settings, called))
    )


async def _run(peers: Peers, request: Request) -> Exit:
    asking = asking_of(peers, request.model)
    gate = asking.called.gate
    stops: Stops = [gate.stopping.set]
    with stopping_on_signals(stops):
        try:
            async with peers.permitted():
                meant = await meant_by(request.named, asking)
                outcome = await _bring(peers, request, (asking, meant), stops) if meant.items else Outcome()
        except NotNowError:
            if gate.stopped or not gate.stopping.is_set():
                raise
            return Exit.INTERRUPTED
    local = _local(peers, request)
    for line in outcome.lines(local):
        click.echo(line, err=True)
    for value in meant.unknown:
        hint = "" if "StudyInstanceUID" in request.named.above else _HINTS.get(request.named.level, "")
        click.echo(f"pacslake: {asking.called.peer.name} lists nothing of {visible(value)}{hint}", err=True)
    if request.as_json:
        values = outcome.values(local)
        values["complete"] = outcome.complete and not meant.unknown
        click.echo(json.dumps(values | {"not_listed": meant.unknown, "to": str(request.to)}, indent=2))
    if gate.stopping.is_set() and not gate.stopped:
        return Exit.INTERRUPTED
    return Exit.OK if outcome.complete and not meant.unknown else Exit.PARTIAL


async def _bring(peers: Peers, request: Request, found: tuple[Asking, Meant], stops: Stops) -> Outcome:
    asking, meant = found
    called, name = asking.called, asking.called.peer.name
    order = Order(PATIENCE.times(called.pacs.retrieve_patience))
    order.add(BY_NAME, meant.items.values(), {uid: _here(request.to, item) for uid, item in meant.items.items()})
    arrivals = Arrivals(None, request.to, {name: order})
    async with _opened(peers, request, arrivals.report) as store:
        fetching = Fetching(
            peer=called.peer,
            looking=Listings(asking.model, asking.source, asking, meant),
            gate=called.gate,
            order=order,
            storing=store.storing,
            arrivals=arrivals,
            way=_way(asking.model, meant, gets=request.gets),
            limits=replace(
                called.peer.limits,
                idle_timeout=called.pacs.retrieve_idle_timeout,
                max_received=_local(peers, request).largest_object,
            ),
            destination=Destination(called.peer.calling_ae, own_address(called.pacs), store.port),
        )
        stops.append(fetching.stop)
        fetching.expect()
        async with bringing({name: fetching}, arrivals):
            await fetching.run(called.pacs.max_associations)
    with suppress(OSError):
        (request.to / SPOOL).rmdir()
    brought = Brought(name, order, fetching, arrivals.of[name])
    return Outcome([brought], 0, {}, store.rejections, store.storing.refusals, arrivals.beside)


def _way(model: Model, meant: Meant, *, gets: bool) -> Besides:
    if gets:
        return Besides(
            (GET_CLASSES[model],), Offer.of(sorted(meant.sop_classes - {""}), sorted(meant.modalities)).contexts
        )
    return Besides((MOVE_CLASSES[model],))


def _local(peers: Peers, request: Request) -> LocalSettings:
    """Give `[local]` as it holds for this command."""
    local = peers.settings.local if peers.settings else LocalSettings()
    own: dict[str, Any] = {"ae_title": peers.called[0].peer.calling_ae, "store_path": request.to}
    return local.model_copy(update=own | ({"port": request.port} if request.port else {}))


def _here(folder: Path, item: Item) -> set[str]:
    """Give the instances of a series whose files lie in the folder. UserError for a file that is another."""
    found = set()
    for path in (folder / by_series(item.study_uid, item.uid, "0")).parent.glob("*.dcm"):
        if is_uid(path.stem):  # else other bytes of an instance, that came later
            header = dcmread(path, force=True, specific_tags=["SOPInstanceUID"], stop_before_pixels=True)
            if header.get("SOPInstanceUID") != path.stem:
                raise UserError(f"{path} is not the instance that its name says: move it away, and run this again")
            found.add(path.stem)
    return found


@asynccontextmanager
async def _opened(peers: Peers, request: Request, report: Report) -> AsyncIterator[Store]:
    """Own the folder, and listen where the PACS is to call us. UserError where it or the port is in use."""
    if request.gets:
        async with Storing.opened(request.to, report, by_series) as storing:
            yield Store(storing)
        return
    local = _local(peers, request)
    [called] = peers.called
    senders, tls = await senders_of(called.pacs), tls_of(local, {called.peer.name: called.pacs})
    senders += map(Sender.of, local.allowed_senders)
    receiving = Receiving(
        request.to, local.ae_title, tuple(senders), by_series, port=local.port, tls=tls, limits=limits_of(local)
    )
    async with listening(receiving, report, "choose another by --port") as receiver:
        yield Store(receiver, receiver.port, receiver.rejections)
