"""Alerts of the service, beside whatever else it does; `pacslake alerts`, which shows and tries them.

Touches: disk, clock, network, processes, standard output and error.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import click
import structlog

from crawler.errors import UserError
from crawler.lake.files import replace_with
from crawler.serve.alarms import Board, backoffs, shown, trial_message
from crawler.settings import Settings, nearest
from jobs.deliver import Delivery, have_delivered
from jobs.exits import Exit
from jobs.table import render
from jobs.troubles import Known, look_around

LOOK_EVERY = 15.0
"""Seconds between two looks while nothing happens, and at most until a receiver hears of something."""
BOARD = "alerts.json"


class Alerts:
    """Looks around, keeps what it found, and tells each receiver, all at their own pace."""

    def __init__(self, known: Callable[[], Known]) -> None:
        self._known = known
        self._lake = known().settings.lake.path
        self._board = board_of(self._lake)
        self._look_now = asyncio.Event()
        self._news: dict[str, asyncio.Event] = {}
        self._tellers: dict[str, asyncio.Task[None]] = {}
        self._log = structlog.get_logger()

    def look_now(self) -> None:
        """Look around soon: something has happened."""
        self._look_now.set()

    async def run(self) -> None:
        """Alert until cancelled; nothing that a receiver does holds this up."""
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY):  # wait_for of Python 3.11 can miss that it is cancelled
                        await self._look_now.wait()
                self._look_now.clear()
                await self._look(self._known())
        finally:
            for teller in self._tellers.values():
                teller.cancel()
            await asyncio.gather(*self._tellers.values(), return_exceptions=True)

    async def _look(self, known: Known) -> None:
        receivers = {name: alert.on for name, alert in known.settings.alerts.items()}
        if receivers or self._board.firing:
            look = await asyncio.to_thread(look_around, known, self._board)
            if self._board.look(look, receivers):
                self._keep()
        for name in self._tellers.keys() - receivers.keys():
            self._tellers.pop(name).cancel()
        for name in receivers:
            self._news.setdefault(name, asyncio.Event()).set()
            if name not in self._tellers:
                self._tellers[name] = asyncio.create_task(self._tell(name))

    async def _tell(self, name: str) -> None:
        """Deliver what there is for one receiver, again and again until it arrives."""
        pauses = iter(backoffs())
        while True:
            settings, box = self._known().settings, self._board.outboxes.get(name)
            message = (
                box.next(time.time(), settings.alerts[name].max_per_hour) if box and name in settings.alerts else None
            )
            if box is None or message is None:
                self._news[name].clear()
                await self._news[name].wait()
                continue
            why = await have_delivered(Delivery(message, settings.alerts[name], settings.smtp))
            told = {"receiver": name, "alert": message["alert"], "status": message["status"]}
            if why is None:
                box.delivered(message, time.time())
                self._keep()
                self._log.info("alert delivered", **told)
                pauses = iter(backoffs())
            else:
                pause = next(pauses)
                self._log.warning("alert not delivered", **told, reason=why, again_in_s=pause)
                await asyncio.sleep(pause)

    def _keep(self) -> None:
        try:
            replace_with(self._lake / BOARD, json.dumps(self._board.as_values()).encode())
        except OSError as error:  # a full disk is what it may have to tell of
            self._log.warning("alerts cannot be kept; after a restart some may come twice", reason=error.strerror)


def board_of(lake: Path) -> Board:
    """Take up what the service kept; an empty board where it kept nothing."""
    try:
        return Board.of(json.loads((lake / BOARD).read_bytes()))
    except (OSError, ValueError):
        return Board()


def list_alerts(settings: Settings, *, as_json: bool) -> None:
    """Print who is told of what, and which troubles there are."""
    board = board_of(settings.lake.path)
    firing = [shown(found) for found in board.as_values()["firing"]]
    waiting = {name: len(board.outboxes[name].waiting) if name in board.outboxes else 0 for name in settings.alerts}
    if as_json:
        receivers = [
            {"name": name, "by": alert.way, "on": list(alert.on), "waiting": waiting[name]}
            for name, alert in settings.alerts.items()
        ]
        click.echo(json.dumps({"receivers": receivers, "firing": firing}, indent=2))
        return
    if not settings.alerts:
        click.echo("Nobody is told, so nobody looks: pacslake.toml has no section [alerts.NAME].")
        return
    rows = [(name, alert.way, ", ".join(alert.on), waiting[name]) for name, alert in settings.alerts.items()]
    click.echo("\n".join(render(("receiver", "by", "on", "waiting"), rows, None)))
    columns = ("trouble", "pacs", "job", "since")
    troubles = [tuple(one.get(column, "") for column in columns) for one in firing]
    click.echo("\n".join(["", *render(columns, troubles, None)]) if troubles else "\nThe service knows of no trouble.")


def try_alerts(settings: Settings, name: str | None) -> int:
    """Send a test to one receiver, or all; give the exit code."""
    if name is not None and name not in settings.alerts:
        raise UserError(f"there is no [alerts.{name}]{nearest(name, settings.alerts)}")
    names = [name] if name else list(settings.alerts)
    if not names:
        raise UserError("there is nobody to test: pacslake.toml has no section [alerts.NAME]")
    answers = asyncio.run(_test(settings, names))
    for one, why in answers.items():
        click.echo(f"{one}: {'delivered' if why is None else f'not delivered: {why}'}")
    return Exit.ERROR if any(answers.values()) else Exit.OK


async def _test(settings: Settings, names: list[str]) -> dict[str, str | None]:
    message = trial_message(time.time())
    deliveries = [Delivery(message, settings.alerts[name], settings.smtp) for name in names]
    return dict(zip(names, await asyncio.gather(*map(have_delivered, deliveries)), strict=True))
