"""`pacslake echo`: whether PACS answer at all, and how fast (C-ECHO). Touches: network, clock, standard output."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any

import click

from crawler.errors import NotNowError, PeerError
from crawler.pacs.association import Association
from crawler.pacs.status import describe
from jobs.exits import Exit
from jobs.peers import Called, Peers
from jobs.table import render, visible

_SHOWN = ("pacs", "status", "answered", "associated_ms", "fastest_ms", "mean_ms", "slowest_ms")
"""The others of a PACS are in JSON, or said on standard error."""


@dataclass
class Echo:
    """What came of calling one PACS."""

    called: Called
    associated_ms: float | None = None
    statuses: list[int] = field(default_factory=list)
    took_ms: list[float] = field(default_factory=list)
    """Of each C-ECHO that was answered, with whatever status."""
    trouble: str | None = None

    @property
    def well(self) -> bool:
        """Whether every C-ECHO was answered with success."""
        return self.trouble is None and not any(self.statuses)

    def values(self) -> dict[str, Any]:
        """Give it as what JSON can hold."""
        peer = self.called.peer
        return {
            "pacs": peer.name,
            "ae_title": peer.called_ae,
            "host": peer.host,
            "port": peer.port,
            "answered": len(self.statuses),
            "status": describe(self.worst) if self.worst is not None else None,
            "associated_ms": self.associated_ms,
            "fastest_ms": min(self.took_ms, default=None),
            "mean_ms": round(sum(self.took_ms) / len(self.took_ms), 2) if self.took_ms else None,
            "slowest_ms": max(self.took_ms, default=None),
            "trouble": self.trouble,
        }

    @property
    def worst(self) -> int | None:
        """The status that a person should see, None without any answer."""
        return next((status for status in self.statuses if status), 0 if self.statuses else None)


def run_echo(peers: Peers, count: int, *, as_json: bool = False) -> Exit:
    """Send each PACS so many C-ECHO, all PACS at once; give the exit code: 1 where one does not answer well."""
    echoes = asyncio.run(call_all(peers, count))
    found = [echo.values() for echo in echoes]
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        rows = [["-" if one[name] is None else one[name] for name in _SHOWN] for one in found]
        for line in render(_SHOWN, rows, None):
            click.echo(line)
    for echo in echoes:
        if echo.trouble:
            click.echo(f"pacslake: {visible(echo.trouble)}", err=True)
    return Exit.OK if all(echo.well for echo in echoes) else Exit.ERROR


async def call_all(peers: Peers, count: int) -> list[Echo]:
    """Send each PACS so many C-ECHO, all PACS at once, as long as it may be asked."""
    echoes = [Echo(called) for called in peers.called]
    async with peers.permitted():
        await asyncio.gather(*(_ask(echo, count) for echo in echoes))
    return echoes


async def _ask(echo: Echo, count: int) -> None:
    association: Association | None = None
    try:
        for _ in range(count):
            async with echo.called.gate.asking():
                if association is None:
                    began = time.perf_counter()
                    association = await Association.open(echo.called.peer, ())
                    echo.associated_ms = _ms_since(began)
                began = time.perf_counter()
                echo.statuses.append(await association.echo())
                echo.took_ms.append(_ms_since(began))
    except (PeerError, NotNowError) as error:
        echo.trouble = str(error)
    finally:
        if association is not None:
            await association.release()


def _ms_since(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 2)
