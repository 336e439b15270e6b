"""Verdicts on matching: which keys narrow an answer, and which the PACS answers as if they were absent. Pure.

The standard decides what is a problem: StudyDate, StudyTime, AccessionNumber, PatientName and PatientID must be
matched at STUDY level (PS3.4 C.6.2.1.2), ModalitiesInStudy may be.
"""

from __future__ import annotations

from collections.abc import Set
from datetime import date, time

from crawler.model import Level
from crawler.pacs.check.answer import Answer
from crawler.pacs.check.verdict import Learned, Verdict, note, ok, problem
from crawler.pacs.profile import EXCLUSIVE_ENDS, IGNORED, MATCHED, NO, REFUSED, UNSUPPORTED_KEY, WRONG, YES
from crawler.words import many

REQUIRED = frozenset(("StudyDate", "StudyTime", "AccessionNumber", "PatientName", "PatientID"))
_SECONDS = 24 * 3600


def impossible(check: str, keyword: str, answer: Answer, misfits: int, what: str = "") -> Verdict:
    """Judge the answer to a value that no study has; `misfits` of its rows contradict it.

    `what` says what was asked for where that is more than the keyword.
    """
    what = what or keyword
    if not answer.is_usable:
        return _failed(check, keyword, answer)
    if misfits:
        text = f"{what} is ignored: a value that no study has brings {many(misfits, 'study')}"
        return _broken(check, keyword, text, IGNORED)
    text = f"{what} is matched: a value that no study has brings none"
    return ok(check, text, Learned(UNSUPPORTED_KEY + keyword, MATCHED))


def narrowed(check: str, keyword: str, answer: Answer, expected: Set[str], misfits: int) -> Verdict:
    """Judge the answer to a value that some known studies have: all of these should come, and no others."""
    if not answer.is_usable:
        return _failed(check, keyword, answer)
    if misfits:
        return _broken(check, keyword, f"{keyword} is ignored: {misfits} studies came that do not fit it", IGNORED)
    missing = 0 if answer.cut else len(expected - set(answer.values("StudyInstanceUID")))
    if missing:
        text = f"{keyword} is matched wrongly: {missing} of {len(expected)} studies that fit it did not come"
        return _broken(check, keyword, text, WRONG)
    text = f"{keyword} finds just the {len(expected)} studies that fit"
    return ok(check, text, Learned(UNSUPPORTED_KEY + keyword, MATCHED))


def _failed(check: str, keyword: str, answer: Answer) -> Verdict:
    """Judge a question that was not answered by success."""
    if answer.status is None:
        return _unanswered(check, f"a question with {keyword}")
    return _broken(check, keyword, f"a question with {keyword} is answered by {answer.ending}", REFUSED)


def _unanswered(check: str, what: str) -> Verdict:
    """Judge a lost connection: it says nothing of what was asked."""
    return note(check, f"{what} was not answered to its end: the connection was lost")


def _broken(check: str, keyword: str, text: str, value: str) -> Verdict:
    learned = Learned(UNSUPPORTED_KEY + keyword, value)
    if keyword == "StudyDate":
        remedy = "have the PACS match StudyDate (0008,0020) in C-FIND, single days and ranges: sweeps cannot do without"
        return problem(check, text, remedy, learned)
    if keyword in REQUIRED:
        remedy = f"have the PACS match {keyword} in C-FIND (PS3.4 C.6.2.1.2); until then sweeps do not split by it"
        return problem(check, text, remedy, learned)
    return note(check, f"{text}; sweeps do not split by it", learned)


def range_ends(from_day: Answer, to_day: Answer, day: date) -> Verdict:
    """Judge whether a day belongs to the range that begins with it, and to the range that ends with it."""
    wrong = []
    for answer, end in ((from_day, "first"), (to_day, "last")):
        if day not in answer.values("StudyDate"):
            if not answer.is_whole:
                return note("range_ends", f"the {end} day of a range was not seen in an answer that is not whole")
            wrong.append(end)
    if not wrong:
        return ok("range_ends", "the first and the last day of a range belong to it", Learned(EXCLUSIVE_ENDS, NO))
    text = f"a range of days leaves out its {' and its '.join(wrong)} day"
    remedy = "have the PACS include the ends of a range (PS3.4 C.2.2.2.5); until then sweeps ask for a day more"
    return problem("range_ends", text, remedy, Learned(EXCLUSIVE_ENDS, YES))


def undated(answers: list[Answer]) -> Verdict:
    """Judge whether studies without a StudyDate come when days are asked for."""
    count = max((answer.rows["StudyDate"].null_count for answer in answers), default=0)
    if count:
        text = f"{count} studies without a StudyDate came with days that were asked for"
        return note("undated", text, Learned("undated_in_ranges", YES))
    return ok("undated", "no study without a StudyDate came with days that were asked for")


def one_study(answer: Answer, wanted: Set[str]) -> Verdict:
    """Judge the question for a single study by its UID."""
    found = set(answer.values("StudyInstanceUID"))
    if answer.is_whole and found == wanted:
        return ok("study_uid", "a study is found by its StudyInstanceUID")
    text = f"one StudyInstanceUID brought {many(len(found), 'study')} ({answer.ending})"
    remedy = "have the PACS match StudyInstanceUID (0020,000D): without it neither series nor changes can be asked for"
    return problem("study_uid", text, remedy)


def uid_list(check: str, level: Level, answer: Answer, wanted: Set[str]) -> Verdict:
    """Judge a list of StudyInstanceUIDs (PS3.4 C.2.2.2.2)."""
    if answer.status is None and not answer.cut:
        return _unanswered(check, "a list of StudyInstanceUIDs")
    found = set(answer.values("StudyInstanceUID"))
    yes = answer.is_whole and found == wanted
    learned = Learned("uid_lists", YES if yes else NO, level)
    if yes:
        return ok(check, f"a list of StudyInstanceUIDs is understood at {level.query_retrieve_level} level", learned)
    text = f"a list of {len(wanted)} StudyInstanceUIDs brought {len(found & wanted)} of them ({answer.ending})"
    return note(check, f"{text}: one query for each study", learned)


def star_uid(empty: Answer, star: Answer) -> Verdict:
    """Judge whether `*` means the same as a zero-length SeriesInstanceUID (both: any)."""
    if star.status is None and not star.cut:
        return _unanswered("star_uid", "SeriesInstanceUID `*`")
    if not star.is_usable:
        value = REFUSED
    else:
        value = "all" if len(star) == len(empty) else "other"
    learned = Learned("star_uid", value, Level.SERIES)
    if value == "all":
        return ok("star_uid", "SeriesInstanceUID `*` and zero length mean the same", learned)
    what = f"is answered by {star.ending}" if value == REFUSED else f"brings {len(star)} series"
    return note("star_uid", f"SeriesInstanceUID `*` {what}, zero length brings {len(empty)}: `*` is not used", learned)


def patient_root_studies(answer: Answer, expected: int) -> Verdict:
    """Judge the same day asked under Patient Root, without a PatientID."""
    if answer.status is None and not answer.cut:
        return _unanswered("patient_studies", "Patient Root")
    yes = answer.is_usable and len(answer) >= expected
    learned = Learned("patient_root_studies", YES if yes else NO)
    if yes:
        return ok("patient_studies", "Patient Root lists studies without a PatientID too", learned)
    text = f"Patient Root brings {len(answer)} of {expected} studies without a PatientID: {answer.ending}"
    return note("patient_studies", f"{text}. Keep to Study Root", learned)


def unseen_second(times: Set[time], near: time) -> time:
    """Give the second nearest after `near`, around midnight if need be, in which none of these times lies."""
    taken = {moment.replace(microsecond=0) for moment in times}
    first = near.hour * 3600 + near.minute * 60 + near.second
    seconds = (number % _SECONDS for number in range(first, first + _SECONDS))
    found = (time(second // 3600, second // 60 % 60, second % 60) for second in seconds)
    return next((moment for moment in found if moment not in taken), near)
