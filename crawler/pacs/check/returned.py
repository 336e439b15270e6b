"""Verdicts on what comes back: keys, counts, character sets, duplicates, caps. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date

from crawler.columns import CATALOGUE, by_keyword
from crawler.model import Level
from crawler.pacs.check.answer import Answer
from crawler.pacs.check.reaching import Us
from crawler.pacs.check.verdict import Learned, Verdict, note, ok, problem
from crawler.pacs.profile import CAP, NO, STUDY_MODALITY, YES
from crawler.words import many

MODALITY = 0x00080060
MODALITIES_IN_STUDY = 0x00080061
_CHARSET = 0x00080005
_TAGS = {keyword: key.tag for keyword, key in by_keyword().items()}
_KEYWORDS = {f"{tag:08x}": keyword for keyword, tag in _TAGS.items()}
_ROUND = frozenset((50, 64, 99, 128, 150, 250, 256, 499, 511, 512, 999, 1023, 1024, 1500, 2048, 2500, 4096, 9999))
"""Caps that are set by hand and are no multiple of a hundred."""


def keys(level: Level, answer: Answer) -> Verdict:
    """Judge which of the keys asked for at a level come back."""
    check, total = f"{level.value}_keys", len(CATALOGUE[level])
    if not answer.walked:
        return note(check, f"no answer at {level.query_retrieve_level} level to look at ({answer.ending})")
    absent = [key.keyword for key in CATALOGUE[level] if not answer.present[key.tag]]
    empty = [key.keyword for key in CATALOGUE[level] if answer.present[key.tag] and not answer.filled[key.tag]]
    learned = Learned("absent_keys", ",".join(absent), level)
    if level.unique_key in (*absent, *empty):
        text = f"{level.unique_key} does not come back"
        return problem(
            check, text, f"have the PACS return {level.unique_key} at {level.query_retrieve_level} level", learned
        )
    text = f"{total - len(absent) - len(empty)} of {total} keys come back filled in {many(answer.walked, 'row')}"
    missing = [f"{what}: {', '.join(names)}" for what, names in (("empty", empty), ("absent", absent)) if names]
    if not missing:
        return ok(check, text, learned)
    return note(check, "; ".join([text, *missing]), learned)


def modalities(answer: Answer, with_modality: Answer | None) -> Verdict:
    """Judge ModalitiesInStudy, and Modality at STUDY level where that was asked for too."""
    filled = answer.filled[MODALITIES_IN_STUDY]
    if filled:
        return ok(
            "modalities",
            f"ModalitiesInStudy is filled in {filled} of {answer.walked} rows",
            Learned(STUDY_MODALITY, NO),
        )
    if with_modality is not None and with_modality.filled[MODALITY]:
        text = "ModalitiesInStudy does not come back, Modality does at STUDY level: sweeps ask for it"
        return note("modalities", text, Learned(STUDY_MODALITY, YES))
    return note(
        "modalities", "no modality comes back at STUDY level: sweep series to know them", Learned(STUDY_MODALITY, NO)
    )


def counts(answer: Answer) -> Verdict:
    """Judge the numbers of series and instances of a study."""
    names = ("NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances")
    lacking = [name for name in names if answer.filled[_TAGS[name]] < answer.walked]
    if lacking:
        return note("counts", f"not in every row: {', '.join(lacking)}. Series and images must be counted by asking")
    return ok("counts", "series and instances of a study are counted by the PACS")


def charset(answers: Sequence[Answer], name: str) -> Verdict:
    """Judge whether text says its character set and can be read with it."""
    wrong = _faults(answers, of_text=True).total()
    sent = sum(answer.filled[_CHARSET] for answer in answers)
    if wrong and sent:
        remedy = "have SpecificCharacterSet (0008,0005) corrected at the PACS; the bytes are kept"
        return problem("charset", f"{wrong} values are not in the character set that their row names", remedy)
    if wrong:
        remedy = f'set pacs.{name}.default_charset, to "ISO_IR 100" for Latin-1 say; the bytes are kept'
        return problem("charset", f"{wrong} values are not ASCII, and no character set comes with them", remedy)
    if not sent:
        return note("charset", "no SpecificCharacterSet came; all text seen is ASCII")
    return ok("charset", "text says its character set and can be read with it")


def whole_answers(broken: int, queries: int, name: str, us: Us) -> Verdict:
    """Judge whether answers come to their end."""
    if broken == queries > 1:
        text = "the PACS takes our calls, and breaks off whatever it is asked: Orthanc does so to whom it does not know"
        return problem("whole_answers", text, us.line)
    if broken:
        text = f"{broken} of {queries} answers broke off without a final status"
        remedy = f"look for their reason in the log of the PACS; if it is only slow, raise pacs.{name}.idle_timeout"
        return problem("whole_answers", text, remedy)
    return ok("whole_answers", "every answer came to its end")


def malformed(answers: Sequence[Answer]) -> Verdict:
    """Judge values that their columns cannot hold."""
    found = _faults(answers, of_text=False)
    if not found:
        return ok("malformed", "every value seen is well formed")
    names = ", ".join(f"{_KEYWORDS.get(tag, tag)} ({count})" for tag, count in found.most_common(6))
    return note("malformed", f"malformed values: {names}. Their columns stay null, their bytes are kept in `raw`")


def duplicates(answers: Sequence[Answer]) -> Verdict:
    """Judge whether a study comes twice in one answer."""
    twice = sum(len(answer) - len(set(answer.values("StudyInstanceUID"))) for answer in answers)
    if twice:
        return note("duplicates", f"{twice} rows were sent twice; one of each is kept", Learned("duplicates", YES))
    return ok("duplicates", "no study came twice in one answer", Learned("duplicates", NO))


def suspicion(sizes: Sequence[int]) -> Verdict:
    """Judge the sizes of whole answers where nobody allowed a broad question."""
    seen = Counter(size for size in sizes if size >= min(_ROUND))
    suspect = sorted(size for size, times in seen.items() if times > 1 or is_round(size))
    how = "--yes asks for everything once and finds out"
    if suspect:
        return note("cap", f"answers of {', '.join(map(str, suspect))} rows look cut off; {how}")
    return note("cap", f"whether long answers are cut off was not looked at; {how}")


def is_round(size: int) -> bool:
    """Whether a number of rows looks like a limit that somebody set."""
    return size >= min(_ROUND) and (size in _ROUND or size % 100 == 0)


def cap(whole: Answer, parts: Sequence[Answer], name: str) -> Verdict:
    """Judge the answer to a question for everything, by the answers to the same question in two parts."""
    rows = len(whole)
    remedy = (
        f"raise the limit for C-FIND at the PACS; until then sweeps ask for less at a time, as with pacs.{name}.cap = "
    )
    if whole.cut:
        return ok("cap", f"an answer of {rows:,} rows was not cut off", Learned(CAP, "0"))
    if whole.status is None:
        return note("cap", f"the answer to a question for everything broke off after {rows:,} rows")
    if whole.status != 0 and not rows:
        text = f"a question for everything is refused by {whole.ending}: answers are limited"
        return note("cap", f"{text}; sweeps ask for less at a time")
    together = sum(len(part) for part in parts)
    if whole.status != 0 or together > rows:
        more = f"two halves of the same question brought {together:,}" if together > rows else f"status {whole.ending}"
        return problem(
            "cap", f"answers are cut off at {rows:,} rows: {more}", f"{remedy}{rows}", Learned(CAP, str(rows))
        )
    return ok("cap", f"an answer of {rows:,} rows was not cut off", Learned(CAP, "0"))


def middle(days: Sequence[date | None]) -> date | None:
    """Give the day that cuts dated rows into halves, None without any."""
    dated = sorted(day for day in days if day is not None)
    return dated[(len(dated) - 1) // 2] if dated else None


def _faults(answers: Sequence[Answer], *, of_text: bool) -> Counter[str]:
    """Count faults by tag: those of character sets, or the rest."""
    return Counter(
        fault["tag"]
        for answer in answers
        for faults in answer.values("faults")
        for fault in faults or ()
        if ("character set" in fault["reason"]) is of_text
    )
