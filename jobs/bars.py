"""Bars on a terminal, one for each PACS. Touches: clock, standard error."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column

_DRAW_EVERY = 0.25


class Going(Protocol):
    """Something that goes on for a while."""

    @property
    def over(self) -> bool:
        """Whether it has ended; its bar then stands still."""


G = TypeVar("G", bound=Going)


async def draw_bars(going: Mapping[str, G], drawn: Callable[[G], dict[str, Any]]) -> None:
    """Draw until cancelled; `drawn` gives the `total`, `completed`, `figures` and `clock` of a bar."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[figures]}", table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[clock]}", table_column=Column(no_wrap=True, justify="right")),
    )
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False, expand=True) as bars:
        ended: set[str] = set()
        tasks = {name: bars.add_task(name, total=None, figures="", clock="") for name in going}

        def draw() -> None:
            for name, one in going.items():
                if name not in ended:
                    bars.update(tasks[name], **drawn(one))
                if one.over:
                    ended.add(name)
            bars.refresh()

        try:
            while True:
                draw()
                await asyncio.sleep(_DRAW_EVERY)
        finally:
            draw()  # what stays on the screen
