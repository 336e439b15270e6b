"""What is written into the lake of the jobs that were done, each once. Touches: disk, clock."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from crawler.errors import LakeLockedError
from crawler.lake.job_runs import slots_done
from crawler.lake.writer import LakeWriter
from crawler.model import JobRun, JobState
from crawler.plan.due import last_done
from crawler.settings import JobSettings, Settings
from jobs.exits import STATES, Exit, worst
from jobs.worker import Order

LOCKED_FOR = 60.0
"""Seconds to wait for somebody who took the lake just when a job was to be written down as done."""


class Runs:
    """What becomes of a job, or of several that are done at once, each at a PACS of its own.

    Of several each is written down when it has ended at its PACS, so that who takes over after a kill does not do it
    again; the last one when nothing is left to do.
    """

    def __init__(self, order: Order) -> None:
        self._settings = order.settings
        self._order = order
        self._began = datetime.now(UTC)
        self._open = dict(order.slots)
        self._ended: dict[str, int] = {}

    @property
    def job(self) -> JobSettings:
        """What is to be done, at all PACS together."""
        several = [self._settings.jobs[name] for name in self._order.slots]
        if not self._order.beside:
            return several[0]
        return several[0].model_copy(update={"pacs": tuple(pacs for job in several for pacs in job.pacs)})

    def over(self, pacs: str, code: Exit) -> Sequence[JobRun]:
        """Note how it ended at a PACS; give what is to be written down of that while others are open."""
        if not self._order.beside:
            return ()
        name = next(name for name in self._order.slots if pacs in self._settings.jobs[name].pacs)
        self._ended[name] = code
        return [self._run(name, code, None)] if len(self._open) > 1 and code != Exit.INTERRUPTED else ()

    def rest(self, code: int, reason: str | None) -> tuple[int, Sequence[JobRun]]:
        """Give the exit code of all, and what is still to be written down: nothing of what was interrupted.

        `code` is how it ended as a whole; `reason` what kept it from that, which then holds for all that are open.
        """
        codes = dict.fromkeys(self._open, code)
        if self._order.beside and reason is None:
            codes = {name: self._ended.get(name, Exit.INTERRUPTED) for name in self._open}
            code = worst([*self._ended.values(), *codes.values()])
        return code, [self._run(name, one, reason) for name, one in codes.items() if one != Exit.INTERRUPTED]

    def _run(self, name: str, code: int, reason: str | None) -> JobRun:
        state = STATES.get(Exit(code), JobState.FAILED)
        why = None if state.settles else reason or f"exit code {int(code)}"
        kind, slot = self._settings.jobs[name].kind, self._open.pop(name)
        return JobRun(name, kind, state, slot, self._began, datetime.now(UTC), why)


def write_down(settings: Settings, runs: Sequence[JobRun], *, new: bool = False) -> None:
    """Write down what was done; of jobs that are said to be new those that the lake, now that it can, says it lacks."""
    until = time.monotonic() + LOCKED_FOR
    while runs:
        try:
            with LakeWriter.open(settings.lake.path, create=new and settings.lake.create) as writer:
                known = slots_done(settings.lake.path) if new else {}
                writer.commit(jobs=[run for run in runs if last_done(known.get(run.job, ()), run.due_at) is None])
        except LakeLockedError:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)
        else:
            return
