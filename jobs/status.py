"""`pacslake status`: the lake in one screen. Touches: disk, clock, standard output."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

from crawler.lake.status import LakeStatus, PacsStatus, SweepStatus, status_of
from crawler.settings import Settings
from jobs.certificates import expiring, told
from jobs.proof import Question, proofs
from jobs.table import visible

PROVEN = "complete"


def show_status(settings: Settings, *, as_json: bool) -> None:
    """Print what the lake holds of every PACS that is configured or was ever crawled."""
    if as_json:
        print(json.dumps(status_values(settings), indent=2))
    else:
        print("\n".join(as_lines(*_gathered(settings))))
        for setting, until in expiring(settings):
            print(f"\n{told(setting, until)}")
        doubted = [visible(proof.pacs) for proof in proofs(settings, Question(), date.today()) if proof.doubts]
        if doubted:
            print(f"\nNot every day is proven complete at {', '.join(doubted)}; `pacslake coverage` says which.")


def status_values(settings: Settings) -> dict[str, Any]:
    """Give what the lake holds as what JSON can hold. NoLakeError where there is none."""
    return as_values(*_gathered(settings))


def _gathered(settings: Settings) -> tuple[LakeStatus, list[PacsStatus]]:
    status = status_of(settings.lake.path)
    known = {one.pacs for one in status.pacs}
    unseen = [PacsStatus(name, None, {}, {}) for name in settings.pacs if name not in known]
    return status, sorted([*status.pacs, *unseen], key=lambda one: one.pacs)


def as_values(status: LakeStatus, everyone: list[PacsStatus]) -> dict[str, Any]:
    """Give the status as what JSON can hold; windows are counted by level, then state."""
    return {
        "path": status.path,
        "version": status.version,
        "pacs": [
            {
                "pacs": one.pacs,
                "last_sweep": _sweep_values(one.last_sweep),
                "rows": one.rows,
                "windows": {level: dict(_states(one, level)) for level in _levels(one)},
            }
            for one in everyone
        ],
    }


def as_lines(status: LakeStatus, everyone: list[PacsStatus]) -> Iterator[str]:
    """Give the status as lines for a person."""
    yield f"Lake {visible(status.path)}, version {status.version}"
    for one in everyone:
        yield ""
        yield visible(one.pacs)
        yield f"  last sweep  {_sweep_sentence(one.last_sweep)}"
        if one.rows:
            yield f"  rows        {', '.join(f'{count:,} {table}' for table, count in one.rows.items())}"
        for level in _levels(one):
            states = ", ".join(f"{count:,} {state}" for state, count in _states(one, level))
            yield f"  windows     {level}: {states}"


def _levels(one: PacsStatus) -> list[str]:
    return list(dict.fromkeys(level for level, _ in one.windows))


def _states(one: PacsStatus, level: str) -> list[tuple[str, int]]:
    """Give the counts of one level by state: what is proven first."""
    found = [(state, count) for (at, state), count in one.windows.items() if at == level]
    return sorted(found, key=lambda pair: (pair[0] != PROVEN, pair[0]))


def _sweep_values(sweep: SweepStatus | None) -> dict[str, Any] | None:
    if sweep is None:
        return None
    return {
        "sweep_id": sweep.sweep_id,
        "state": sweep.state,
        "started_at": sweep.started_at.isoformat(),
        "finished_at": sweep.finished_at.isoformat() if sweep.finished_at else None,
    }


def _sweep_sentence(sweep: SweepStatus | None) -> str:
    if sweep is None:
        return "never"
    started = f"{sweep.started_at:%Y-%m-%d %H:%M:%S} UTC"
    if sweep.finished_at is None:
        return f"{sweep.state}, started {started}"
    seconds = round((sweep.finished_at - sweep.started_at).total_seconds())
    return f"{sweep.state}, {started}, took {seconds // 60}:{seconds % 60:02}"
