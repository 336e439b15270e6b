"""The examination of a Modality Worklist: whether its days are matched, and what is scheduled. Touches: network."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta

from crawler.columns import AS_OF_STUDIES
from crawler.dicom import da
from crawler.model import Level
from crawler.pacs.check import returned
from crawler.pacs.check.answer import Answer
from crawler.pacs.check.ask import Asker
from crawler.pacs.check.reaching import Us
from crawler.pacs.check.verdict import Learned, Verdict, note, ok, problem
from crawler.pacs.profile import IGNORED, MATCHED, REFUSED, UNSUPPORTED_KEY

DAY = AS_OF_STUDIES["StudyDate"]
AHEAD = timedelta(30)


async def examined(asker: Asker, never: date, today: date, name: str, us: Us) -> AsyncIterator[Verdict]:
    """Ask for a day and for days on which nothing is scheduled, and for the days to come."""
    for check, days in (("no_such_day", da(never)), ("no_such_days", f"{da(never)}-{da(never + AHEAD)}")):
        answer = await asker.ask(Level.WORKLIST, {DAY: days})
        verdict = impossible(check, answer)
        yield verdict
        if not answer.is_usable or len(answer):
            return
    ahead = await asker.ask(Level.WORKLIST, {DAY: f"{da(today)}-{da(today + AHEAD)}"})
    if not ahead.is_usable:
        yield problem("scheduled", f"the days to come are answered by {ahead.ending}", "ask whoever runs the worklist")
    elif not len(ahead):
        yield note("scheduled", "nothing is scheduled for the next thirty days: look at the AE title we call")
    else:
        count = f"{len(ahead)}{' or more' if ahead.cut else ''} items"
        yield ok("scheduled", f"{count} are scheduled for the next thirty days")
        keyless = ahead.values(Level.WORKLIST.unique_key).count(None)
        if keyless:
            yield problem("worklist_keys", f"{keyless} items have no StudyInstanceUID", "have the worklist send it")
        yield returned.charset([ahead], name)
        yield returned.malformed([ahead])
    yield returned.whole_answers(asker.broken, asker.queries, name, us)


def impossible(check: str, answer: Answer) -> Verdict:
    """Judge the answer to days on which nothing is scheduled."""
    if answer.status is None and not answer.cut:
        return note(check, "the question was not answered to its end: the connection was lost")
    if not answer.is_usable:
        return _broken(check, f"a question with {DAY} is answered by {answer.ending}", REFUSED)
    if len(answer):
        return _broken(check, f"{DAY} is ignored: days without any item bring {len(answer)}", IGNORED)
    return ok(check, f"{DAY} is matched: days without any item bring none", _of_days(MATCHED))


def _broken(check: str, text: str, value: str) -> Verdict:
    remedy = "have the worklist match ScheduledProcedureStepStartDate, which PS3.4 K.6.1.2.2 requires"
    return problem(check, text, remedy, _of_days(value))


def _of_days(value: str) -> Learned:
    return Learned(UNSUPPORTED_KEY + "StudyDate", value, Level.WORKLIST)
