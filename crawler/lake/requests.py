"""What people asked the service to do: a small file for each in the lake's folder `requests`, until it is done.

Touches: disk.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

from crawler.lake.files import replace_with


@dataclass(frozen=True, slots=True)
class Request:
    """A backfill that somebody asked for: of these PACS (none: all), days and level (None: as configured)."""

    pacs: tuple[str, ...]
    date_from: date | None
    date_to: date | None
    level: str | None
    by: str
    at: datetime


class Requests:
    """Those of one lake, oldest first."""

    def __init__(self, lake: Path) -> None:
        self._folder = lake / "requests"

    def add(self, request: Request) -> None:
        """Keep a request; the same twice is one."""
        if any(replace(known, at=request.at) == request for _, known in self.waiting()):
            return
        self._folder.mkdir(exist_ok=True)
        values = {
            name: value.isoformat() if isinstance(value, date) else value for name, value in asdict(request).items()
        }
        name = f"{request.at.astimezone(UTC):%Y%m%dT%H%M%S.%f}-{uuid.uuid4().hex[:8]}.json"
        replace_with(self._folder / name, json.dumps(values).encode())

    def waiting(self) -> list[tuple[str, Request]]:
        """Give each with its name. A file that cannot be read is no request."""
        found = []
        for file in sorted(self._folder.glob("*.json")):
            try:
                values = json.loads(file.read_bytes())
                first, last = (day and date.fromisoformat(day) for day in (values["date_from"], values["date_to"]))
                at = datetime.fromisoformat(values["at"])
                request = Request(tuple(values["pacs"]), first, last, values["level"], values["by"], at)
            except (OSError, ValueError, KeyError, TypeError):
                continue
            found.append((file.name, request))
        return found

    def remove(self, name: str) -> None:
        """Forget a request."""
        (self._folder / name).unlink(missing_ok=True)
