"""`pacslake queue`: who does which of the jobs that several services share. Touches: network, standard output."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC
from typing import TypeVar

import click

from crawler.errors import UserError
from crawler.queue.postgres import Queue
from crawler.queue.tasks import Shown
from crawler.secret import Secret
from crawler.settings import Settings
from jobs.table import render

T = TypeVar("T")

COLUMNS = ("job", "state", "slot", "host", "process", "since", "failures", "not before")
_STATES = {"todo": "waits", "doing": "is done", "failed": "given up until its next slot"}


def show_queue(settings: Settings, *, as_json: bool) -> None:
    """Print how many services live, and the jobs that are done or wait. QueueError where the queue does not answer."""
    services, found = asyncio.run(_asked(settings, Queue.shown))
    if as_json:
        click.echo(json.dumps({"services": services, "jobs": [asdict(one) for one in found]}, indent=2, default=str))
        return
    click.echo(living(services))
    if found:
        click.echo("\n".join(["", *render(COLUMNS, [_row(one) for one in found], None)]))


def services_of(settings: Settings) -> int:
    """Say how many services live. QueueError where the queue does not answer."""
    return asyncio.run(_asked(settings, Queue.shown))[0]


def living(services: int) -> str:
    """Put how many services live."""
    return f"{services} {'service lives' if services == 1 else 'services live'}"


def make_queue(settings: Settings) -> None:
    """Make the tables of the queue where there are none."""
    is_new = asyncio.run(_asked(settings, Queue.prepare))
    click.echo(f"pacslake: {'the queue is made' if is_new else 'the queue is there already'}", err=True)


def queue_of(settings: Settings) -> Queue:
    """Give the queue of the settings. UserError where they name none."""
    serve = settings.serve
    if serve.queue is None:
        raise UserError("pacslake.toml names no queue: set [serve] queue")
    return queue_at(serve.queue, serve.queue_password_file)


def queue_at(url: str, secret: Secret | None) -> Queue:
    """Give the queue at an address. UserError where its password cannot be read."""
    return Queue(url, secret.read().decode() if secret else None)


async def _asked(settings: Settings, question: Callable[[Queue], Awaitable[T]]) -> T:
    queue = queue_of(settings)
    try:
        return await question(queue)
    finally:
        await queue.close()


def _row(one: Shown) -> tuple[object, ...]:
    since, before = (f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if at else "" for at in (one.since, one.not_before))
    return one.name, _STATES[one.state], one.slot, one.host or "", one.pid or "", since, one.failures, before
