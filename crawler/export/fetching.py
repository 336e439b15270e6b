"""Bring a series that is not here by the command `pacslake cohort retrieve`, in a process of its own.

It is by this command alone that rooms know of jobs. A retrieval owns the lake while it lasts, takes signals and runs an
event loop, of which a notebook has one already: none of that belongs into the process of whoever wants an image.

Touches: processes, disk (settings), standard error.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from crawler.errors import PacslakeError, UserError
from crawler.export.asked import Candidate
from crawler.settings import Settings, load

Fetch = Callable[[Candidate], str | None]
"""Brings a series that is not here, or not all of it. Once it is here or cannot be had it returns what a person can do
about the latter, None where there is nothing to say."""

_SOME_MISSING = 3


def settings_of(lake: Path, named: Path | None = None) -> tuple[Path, Settings] | None:
    """Find the settings of a lake: those named, else `pacslake.toml` here or beside the lake; None where none is its.

    UserError where those named are about another lake, and for mistakes in them.
    """
    for path in [named] if named else [Path("pacslake.toml"), lake.parent / "pacslake.toml"]:
        if named is None and not path.is_file():
            continue
        settings = load(path)
        if settings.lake.path.resolve() == lake.resolve():
            return path, settings
        if named is not None:
            raise UserError(f"{named} is about another lake, {settings.lake.path}")
    return None


def fetch_by(config: Path) -> Fetch:
    """Give what brings series from the PACS of these settings, and shows on a terminal how it goes."""

    def fetch(series: Candidate) -> str | None:
        which = ["--series", series.series_uid, "--pacs", series.pacs, "--config", str(config.absolute())]
        # -P: a folder `jobs` where somebody works must not be taken for ours.
        command = [sys.executable, "-P", "-m", "jobs.cli", "cohort", "retrieve", *which]
        heard = None if sys.stderr.isatty() else subprocess.PIPE
        done = subprocess.run(
            [*command, "--impatient", "--format", "json"], stdout=subprocess.PIPE, stderr=heard, text=True
        )
        if done.returncode not in (0, _SOME_MISSING):
            why = [line for line in (done.stderr or "").splitlines() if line.startswith("pacslake: ")]
            told = why[-1].removeprefix("pacslake: ") if why else "it is said above what stood in the way"
            raise PacslakeError(f"the series {series.series_uid} could not be fetched: {told}")
        return _advice(json.loads(done.stdout))

    return fetch


def _advice(outcome: dict[str, Any]) -> str | None:
    """Give what the command advises."""
    of_pacs = [told for pacs in outcome["pacs"].values() for told in (pacs["left_because"], pacs["advice"]) if told]
    return "; ".join([*of_pacs, *(f"{one['reason']}: {one['advice']}" for one in outcome["rejected"])]) or None
