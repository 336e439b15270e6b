"""`pacslake sql --live`: ask a PACS for what a statement can want, and let DuckDB answer it from that.

Touches: network, standard error.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from pathlib import Path

import click

from crawler.errors import NotNowError, UserError
from crawler.lake.answer import plain_errors
from crawler.lake.passing import Passing
from crawler.live.question import TABLES
from crawler.live.requests import below
from crawler.model import Level
from jobs.exits import Exit
from jobs.gathering import Gatherer
from jobs.live_asking import Asking
from jobs.live_plan import MOST_QUERIES, Plan, estimate_of, explain, levels_below, plan_of, refuse_too_much
from jobs.peers import Calling, Peers
from jobs.publish import Source
from jobs.query import Form, write
from jobs.stopping import stopping_on_signals

MOST_SAID = 10
"""Parts that may lack something are named one by one, up to so many."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What was typed."""

    pacs: str
    statement: str
    yes: bool = False
    explain: bool = False


def answer_live(config: Path, wish: Wish, form: Form) -> int:
    """Answer a statement from a PACS; give the exit code: 0, 3 where not all is sure to have come, 130.

    UserError where it would ask for too much without being told so.
    """
    peers = Peers([wish.pacs], Calling(config))
    if peers.settings is not None and peers.settings.phi is not None:
        raise UserError("[phi] keeps identifiers out of the lake, and --live would show them: ask the lake instead")
    home = peers.settings.lake.path if peers.settings else None
    [called] = peers.called
    plan = plan_of(called, home, wish.statement)
    passing = Passing(called.peer.name, plan.profile.added)
    _require_sense(passing, wish.statement)
    estimates = [estimate_of(called.peer.name, home, plan, one) for one in plan.requests]
    if wish.explain:
        explain(plan, estimates, as_json=form.kind == "json")
        return Exit.OK
    if not wish.yes:
        refuse_too_much(called.peer.name, plan, estimates)
    try:
        asking = asyncio.run(_ask(peers, plan, passing, None if wish.yes else MOST_QUERIES))
    except asyncio.CancelledError:  # a second Ctrl-C
        asking = None
    if asking is None:
        click.echo("pacslake: stopped, and nothing is answered", err=True)
        return Exit.INTERRUPTED
    write(passing.tables(), plan.question.statement, form)
    passing.close()
    parts = list(dict.fromkeys(asking.unproven))
    for part in parts[:MOST_SAID]:
        click.echo(f"pacslake: {called.peer.name} may have more than was answered from: {part}", err=True)
    if len(parts) > MOST_SAID:
        click.echo(f"pacslake: and so it may of {len(parts) - MOST_SAID} further parts", err=True)
    return Exit.PARTIAL if asking.unproven else Exit.OK


def _require_sense(passing: Passing, statement: str) -> None:
    """Have DuckDB look at a statement before anything is asked. UserError for a name that there is not."""
    try:
        with plain_errors():
            passing.tables().sql(f"EXPLAIN {statement}").fetchall()
    except UserError as error:
        raise UserError(f"{error}\n--live has the tables {', '.join(TABLES)}; the lake has the others") from error


async def _ask(peers: Peers, plan: Plan, passing: Passing, most: int | None) -> Asking | None:
    """Have the PACS asked, and its rows gathered. None where somebody stopped it."""
    [called] = peers.called
    home = peers.settings.lake.path if peers.settings else None
    peer, gate, pacs = called.peer, called.gate, called.pacs
    gate.insists = False
    source = Source(peer.name, uuid.uuid4().hex, pacs.charsets, plan.profile, plan.level is not Level.STUDY)
    async with Gatherer(passing) as gatherer:
        asking = Asking(peer, source, gatherer, gate, pacs.max_associations, home, most)
        with stopping_on_signals([asking.stop]):
            async with peers.permitted():
                await asking.studies(plan.requests)
                for level in levels_below(plan.level):
                    await asking.below(level, below(plan.question, level))
    if gate.stopped:
        raise NotNowError(f"{peer.name} may not be asked any longer: {gate.stopped}")
    return None if gate.stopping.is_set() else asking
