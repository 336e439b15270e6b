"""One job of the service, in a process of its own: its memory goes with it, and if it crashes the service goes on.

The order comes on standard input, which the service then holds open: where that ends, the service has died, and the
lake must not stay locked. Touches: network, disk, clock, signals, standard input and error.
"""

from __future__ import annotations

import pickle
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from crawler.errors import LakeLockedError, NoLakeError, NotNowError, PacslakeError, UserError
from crawler.lake.requests import Requests
from crawler.model import JobRun, JobState, Level
from crawler.settings import JobSettings, Settings
from jobs.exits import Exit, disk_said, exit_of
from jobs.lifeline import end_with_the_service
from jobs.runs import Runs, write_down
from jobs.wiring import start_logging
from jobs.worker import Order

if TYPE_CHECKING:
    from jobs.sweep import Over


def work(order: Order) -> int:
    """Do what was ordered and write it down; give the exit code: of the job, 11 when the lake was in use, 130."""
    settings = order.settings
    if order.new:
        began = datetime.now(UTC)
        kinds = {name: settings.jobs[name].kind for name in order.new}
        news = [JobRun(name, kind, JobState.WAITING, order.slot, began, began) for name, kind in kinds.items()]
        write_down(settings, news, new=True)
        return Exit.OK
    if order.count:
        return _count(settings)
    if order.request:
        return _answer(settings, order.name)
    runs = Runs(order)
    try:
        code, reason = do(settings, runs.job, runs.over), None
    except LakeLockedError:
        raise
    except PacslakeError as error:
        code, reason = exit_of(error), str(error)
        structlog.get_logger().error(reason)
    code, rest = runs.rest(code, reason)
    write_down(settings, rest)
    return code


def do(settings: Settings, job: JobSettings, over: Over) -> int:
    """Do a job once, whatever its schedule; give its exit code: 130 where it was cut off, or no PACS may be asked."""
    if job.kind == "maintain":
        return _maintain(settings, job)
    if job.kind == "check":
        from jobs.check import CheckRequest, run_check

        codes = {run_check(settings, CheckRequest(name, as_json=True)) for name in job.pacs or settings.pacs}
        return Exit.ERROR if Exit.ERROR in codes else Exit.OK  # a problem that was found is no failure
    from jobs.nightly import Night, run_night
    from jobs.permission import closed, said
    from jobs.standing import has_standing, run_standing

    now = datetime.now(UTC)
    kept_away = {name: closed(settings, name, now) for name in job.pacs or settings.pacs}
    if kept_away and all(kept_away.values()):
        for name, found in kept_away.items():
            structlog.get_logger().info(f"{name} may not be asked now: {said(settings, found) if found else ''}")
        return Exit.INTERRUPTED
    if job.kind == "retrieve":
        try:
            return run_standing(settings, job.cohorts)
        except NotNowError as closed_now:
            structlog.get_logger().info(str(closed_now))
            return Exit.INTERRUPTED
    code = run_night(settings, Night.of(job), over)
    if code != Exit.INTERRUPTED and has_standing(settings):
        _bring(settings)
    return code


def _bring(settings: Settings) -> None:
    """Bring what a sweep has found for standing cohorts. Whatever comes of it, the sweep is done."""
    from jobs.standing import run_standing

    try:
        code = run_standing(settings)
    except PacslakeError as error:
        structlog.get_logger().error(str(error))
    else:
        if code != Exit.OK:
            structlog.get_logger().warning("standing cohorts are not complete", exit_code=int(code))


def _answer(settings: Settings, name: str) -> int:
    """Do what somebody asked for, and forget it unless it was cut off or may not be done now."""
    from jobs.backfill import run_backfill
    from jobs.proof import Question

    box = Requests(settings.lake.path)
    wanted = dict(box.waiting()).get(name)
    if wanted is None:
        return Exit.OK
    level = Level(wanted.level) if wanted.level else None
    try:
        code = run_backfill(settings, Question(wanted.pacs, wanted.date_from, wanted.date_to, level), dry_run=False)
    except NotNowError:
        return Exit.INTERRUPTED
    except UserError as error:
        structlog.get_logger().error(str(error))
        code = Exit.OK  # nobody can do it, today or later
    if code != Exit.INTERRUPTED:
        box.remove(name)
    return Exit.OK if code == Exit.PARTIAL else code


def _count(settings: Settings) -> int:
    from jobs.tally import tally_if_changed

    with suppress(NoLakeError):
        tally_if_changed(settings)
    return Exit.OK


def _maintain(settings: Settings, job: JobSettings) -> int:
    from crawler.lake.upkeep import Wanted
    from jobs.maintain import run_maintain

    days = job.keep_history_days
    now = datetime.now(UTC).replace(tzinfo=None)
    wanted = Wanted(None if days is None else now - timedelta(days=days))
    run_maintain(settings.lake.path, wanted, dry_run=False, as_json=True)
    return Exit.OK


def main() -> int:
    """Read the order, do it, give the exit code."""
    order: Order = pickle.load(sys.stdin.buffer)
    start_logging(order.log_level)
    threading.Thread(target=end_with_the_service, args=[order.pulse], daemon=True).start()
    log = structlog.get_logger()
    try:
        return int(work(order))
    except PacslakeError as error:
        log.error(str(error))
        return int(exit_of(error))
    except OSError as error:
        log.error(disk_said(error))
        return int(Exit.ERROR)
    except Exception as error:
        # Anything can go wrong in anybody's code; a message may quote a patient's value, so type and place are told.
        log.error("unexpected", exc_info=error)
        return int(Exit.ERROR)


if __name__ == "__main__":
    sys.exit(main())
